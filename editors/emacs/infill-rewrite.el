;;; infill-rewrite.el --- A region rewritten by a model -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; `infill-rewrite' shows what the region becomes below it, while that
;; converges.  The buffer is not changed before the user accepts, with
;; C-c C-c; C-c C-k discards and C-c C-r tries again.  A region that is edited
;; meanwhile is left alone.
;;
;; Knows nothing of how the text comes about.

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)
(require 'infill-client)
(require 'infill-document)

(defface infill-rewrite-old '((t :inherit diff-removed))
  "A region while its new text is shown below it."
  :group 'infill)
(defface infill-rewrite-new '((t :inherit diff-added))
  "The new text of a region, before it is accepted."
  :group 'infill)

(defvar infill-rewrite-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-c") #'infill-rewrite-accept)
    (define-key map (kbd "C-c C-k") #'infill-rewrite-discard)
    (define-key map (kbd "C-c C-r") #'infill-rewrite-retry)
    map)
  "Keys while a rewrite is shown.")

(defvar infill-rewrite-history nil "Instructions given before.")

(defvar-local infill--rewrite nil "The rewrite shown in this buffer, nil when there is none.")

(cl-defstruct infill--rewrite
  "One rewrite: OVERLAY on the region, OLD text, INSTRUCTION, SEED, finished TEXT or nil."
  overlay old instruction (seed 0) text)

;;;###autoload
(defun infill-rewrite (beg end instruction)
  "Have the text from BEG to END rewritten by INSTRUCTION.
An empty one has the model do as it likes."
  (interactive
   (progn
     (unless (use-region-p) (user-error "Select what to rewrite first"))
     (list (region-beginning) (region-end)
           (read-string "Rewrite how (empty: as the model likes): " nil
                        'infill-rewrite-history))))
  (barf-if-buffer-read-only)
  (when infill--rewrite (infill-rewrite-discard))
  (require 'diff-mode)
  (let ((overlay (make-overlay beg end)))
    (overlay-put overlay 'face 'infill-rewrite-old)
    (overlay-put overlay 'modification-hooks '(infill--rewrite-spoilt))
    (setq infill--rewrite
          (make-infill--rewrite :overlay overlay :instruction instruction
                                :old (buffer-substring-no-properties beg end))))
  (deactivate-mark)
  (infill--rewrite-ask))

(defun infill-rewrite-accept ()
  "Put the new text in place of the old, as one undo step."
  (interactive)
  (let* ((rewrite (infill--rewrite-here))
         (text (or (infill--rewrite-text rewrite)
                   (user-error "The new text is not finished yet")))
         (overlay (infill--rewrite-overlay rewrite))
         (beg (overlay-start overlay)) (end (overlay-end overlay)))
    (infill--rewrite-end)
    (undo-boundary)
    (atomic-change-group
      (goto-char beg)
      (delete-region beg end)
      (insert text))))

(defun infill-rewrite-discard ()
  "Leave the text as it was."
  (interactive)
  (let ((is-running (null (infill--rewrite-text (infill--rewrite-here)))))
    (infill--rewrite-end)
    (when (and is-running (infill-running-p))
      (jsonrpc-async-request infill--connection :workspace/executeCommand
                             (list :command "infill.cancelRewrite"
                                   :arguments (vector infill--uri))
                             :success-fn #'ignore :error-fn #'ignore))))

(defun infill-rewrite-retry ()
  "Have the same text rewritten in another way."
  (interactive)
  (let ((rewrite (infill--rewrite-here)))
    (cl-incf (infill--rewrite-seed rewrite))
    (setf (infill--rewrite-text rewrite) nil)
    (infill--rewrite-ask)))

(defun infill--rewrite-here ()
  "Return the rewrite of this buffer, or tell that there is none."
  (or infill--rewrite (user-error "Nothing is being rewritten here")))

(defun infill--rewrite-ask ()
  "Ask the server for the new text of `infill--rewrite'."
  (let* ((rewrite infill--rewrite) (seed (infill--rewrite-seed rewrite))
         (overlay (infill--rewrite-overlay rewrite)) (buffer (current-buffer))
         (connection (infill-sync)))
    (unless connection
      (infill--rewrite-end)
      (user-error "Not running: %s" (plist-get infill-status :message)))
    (infill--rewrite-draw rewrite "…")
    (jsonrpc-async-request
     connection :workspace/executeCommand
     (list :command "infill.rewriteSelection"
           :arguments
           (vector
            (append
             (list :uri infill--uri
                   :range (list :start (infill-position (overlay-start overlay))
                                :end (infill-position (overlay-end overlay)))
                   :version infill--version :instruction (infill--rewrite-instruction rewrite)
                   :apply :json-false)
             (and (> seed 0) (list :seed seed)))))
     :timeout 600
     :success-fn (lambda (answer) (infill--rewrite-answered buffer rewrite seed answer))
     :error-fn (lambda (problem)
                 (infill--rewrite-answered buffer rewrite seed
                                           (list :reason (plist-get problem :message)))))))

(defun infill--rewrite-answered (buffer rewrite seed answer)
  "Show in BUFFER the ANSWER to REWRITE, unless another than with SEED is awaited."
  (when (buffer-live-p buffer)
    (with-current-buffer buffer
      (when (and (eq rewrite infill--rewrite) (= seed (infill--rewrite-seed rewrite)))
        (let ((text (plist-get answer :text)) (note (or (plist-get answer :note) "")))
          (if (null text)
              (progn (infill--rewrite-end)
                     (message "Not rewritten: %s" (plist-get answer :reason)))
            ;; A buffer's lines end in LF whatever the file's do.
            (setf (infill--rewrite-text rewrite) (replace-regexp-in-string "\r\n?" "\n" text))
            (infill--rewrite-draw rewrite (infill--rewrite-text rewrite))
            (message "%s" (string-trim-left
                           (concat note (substitute-command-keys "\\<infill-rewrite-map>\
  \\[infill-rewrite-accept] accepts, \\[infill-rewrite-discard] discards, \
\\[infill-rewrite-retry] tries again"))))))))))

(defun infill--rewrite-on-preview (method parameters)
  "Show a rewrite's text so far: METHOD infill/rewritePreview with PARAMETERS."
  (when (and (eq method 'infill/rewritePreview) (not (eq t (plist-get parameters :done))))
    (dolist (buffer (buffer-list))
      (let ((rewrite (buffer-local-value 'infill--rewrite buffer)))
        (when (and rewrite (not (infill--rewrite-text rewrite))
                   (equal (plist-get parameters :uri) (buffer-local-value 'infill--uri buffer)))
          (infill--rewrite-draw rewrite (plist-get parameters :text)))))))

(defun infill--rewrite-draw (rewrite text)
  "Draw TEXT below the old text of REWRITE."
  (let ((shown (propertize text 'face 'infill-rewrite-new))
        (is-line-end (string-suffix-p "\n" (infill--rewrite-old rewrite))))
    (overlay-put (infill--rewrite-overlay rewrite) 'after-string
                 (if is-line-end shown (concat "\n" shown)))))

(defun infill--rewrite-spoilt (_overlay is-after &rest _)
  "End the rewrite: its old text has changed, IS-AFTER when it is done."
  (when (and is-after infill--rewrite)
    (infill--rewrite-end)
    (message "The text to rewrite has changed: the rewrite was dropped")))

(defun infill--rewrite-end ()
  "Show no rewrite any more."
  (when infill--rewrite
    (delete-overlay (infill--rewrite-overlay infill--rewrite))
    (setq infill--rewrite nil)))

(defvar infill--rewrite-keys `((infill--rewrite . ,infill-rewrite-map))
  "Has the keys of a rewrite go before those of other modes while one is shown.")
(add-to-list 'emulation-mode-map-alists 'infill--rewrite-keys)
(add-hook 'infill-notification-functions #'infill--rewrite-on-preview)

(provide 'infill-rewrite)
;;; infill-rewrite.el ends here
