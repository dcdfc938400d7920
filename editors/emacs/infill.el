;;; infill.el --- Ghost text and rewrites by a local model -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: convenience, tools
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; Suggests code at point while you type, from the language server infill-ls
;; and its model on this machine.  Works beside eglot or lsp-mode:
;;
;;     (add-to-list 'load-path "/path/to/infill-ls/editors/emacs")
;;     (require 'infill)
;;     (add-hook 'prog-mode-hook #'infill-mode)
;;
;; While something is suggested, TAB accepts it, M-f its next word, M-e its
;; next line, and C-g dismisses it.  M-x infill-suggest asks by hand, and
;; M-x infill-rewrite rewrites the region.
;;
;; This file is the mode: when something is requested and when it may be shown.
;; Knows nothing of how it is drawn (infill-ghost.el), of the server's process
;; (infill-client.el) or of how buffers are mirrored (infill-document.el).

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)
(require 'infill-client)
(require 'infill-document)
(require 'infill-ghost)
(autoload 'infill-rewrite "infill-rewrite" nil t)

(defcustom infill-delay 0.05
  "Seconds after a change before something is requested.
The server waits for the rhythm of typing by itself."
  :type 'number
  :group 'infill)

(defcustom infill-quiet-functions
  '(infill-in-completion-p infill-in-macro-p use-region-p infill-in-invisible-p)
  "Functions of no arguments; while one returns non-nil nothing is suggested."
  :type '(repeat function)
  :group 'infill)

(defvar infill-active-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "TAB") #'infill-accept)
    (define-key map (kbd "<tab>") #'infill-accept)
    (define-key map (kbd "M-f") #'infill-accept-word)
    (define-key map (kbd "M-e") #'infill-accept-line)
    (define-key map (kbd "C-g") #'infill-dismiss)
    map)
  "Keys while something is suggested.")

(defvar-local infill--timer nil "Runs when something is to be requested.")
(defvar-local infill--asked nil "Place of the newest request: (TOKEN TICK POINT).")
(defvar-local infill--seen-tick nil "The buffer as it was after the last command.")
(defvar-local infill--command nil "What the server wants run when the text is accepted.")
(defvar infill--why nil "Why the last request came to nothing, a sentence of the server's.")
(defvar infill--last-token 0 "Number of the newest request.")

;;;###autoload
(define-minor-mode infill-mode
  "Suggest code at point while you type, from a model on this machine.
\\{infill-active-map}"
  :lighter (:eval (infill--lighter))
  (if (not infill-mode)
      (infill--leave)
    (if (or (minibufferp) (file-remote-p default-directory))
        (setq infill-mode nil)
      (add-hook 'before-change-functions #'infill--before-change nil t)
      (add-hook 'after-change-functions #'infill--note-change nil t)
      (add-hook 'post-command-hook #'infill--after-command nil t)
      (add-hook 'kill-buffer-hook #'infill-close nil t)
      (add-hook 'after-set-visited-file-name-hook #'infill-close nil t)
      (setq-local infill--seen-tick (buffer-chars-modified-tick))
      (infill-sync))))

(defun infill--leave ()
  "Undo what `infill-mode' set up in this buffer."
  (remove-hook 'before-change-functions #'infill--before-change t)
  (remove-hook 'after-change-functions #'infill--note-change t)
  (remove-hook 'post-command-hook #'infill--after-command t)
  (remove-hook 'kill-buffer-hook #'infill-close t)
  (remove-hook 'after-set-visited-file-name-hook #'infill-close t)
  (infill--forget-request)
  (infill-ghost-clear)
  (infill-close))

(defun infill-restart ()
  "Start the server anew, with `infill-settings' as they are now."
  (interactive)
  (infill-stop)
  (setq infill--has-given-up nil infill--starts nil)
  (infill-sync))

(defun infill-suggest ()
  "Ask for a suggestion at point, however doubtful."
  (interactive)
  (infill--ask t))

(defun infill-accept ()
  "Insert all that is suggested."
  (interactive)
  (infill--take (length infill--ghost)))

(defun infill-accept-word ()
  "Insert the next word of what is suggested."
  (interactive)
  (infill--take (infill-ghost-word-length)))

(defun infill-accept-line ()
  "Insert the next line of what is suggested."
  (interactive)
  (infill--take (infill-ghost-line-length)))

(defun infill-dismiss ()
  "Show nothing until something else is typed."
  (interactive)
  (infill--forget-request)
  (infill-ghost-clear))

(defun infill--take (num-chars)
  "Insert NUM-CHARS of what is suggested, and tell the server."
  (unless (infill-ghost-text)
    (user-error "Nothing is suggested here"))
  (let ((command infill--command))
    (infill-ghost-take num-chars)
    (when-let ((connection (infill-sync)))
      (if (infill-ghost-text)
          (jsonrpc-notify connection :infill/didPartiallyAccept
                          (list :uri infill--uri :acceptedLength num-chars))
        (when command
          (jsonrpc-async-request connection :workspace/executeCommand
                                 (list :command (plist-get command :command)
                                       :arguments (plist-get command :arguments))
                                 :success-fn #'ignore :error-fn #'ignore))))))

(defun infill--note-change (beg end num-replaced)
  "Note the change to the text from BEG to END, which had NUM-REPLACED characters."
  (infill--after-change beg end num-replaced)
  (infill-ghost-after-change beg end num-replaced))

(defun infill--after-command ()
  "Look what the command did: show less, nothing, or ask."
  (let ((is-changed (/= infill--seen-tick (buffer-chars-modified-tick))))
    (setq infill--seen-tick (buffer-chars-modified-tick))
    (when (and (infill-ghost-text)
               (or (/= (point) (overlay-start infill--overlay)) (infill--is-quiet)))
      (infill-ghost-clear))
    (cond
     ;; While a request is under way, what is shown is but the beginning of its answer.
     ((and is-changed (or infill--asked (not (infill-ghost-text)))) (infill--ask-soon))
     ((infill-ghost-text))
     ((and infill--asked (/= (point) (nth 2 infill--asked)))
      (infill--forget-request)))))

(defun infill--ask-soon ()
  "Ask for a suggestion in a moment, unless something else happens."
  (when infill--timer (cancel-timer infill--timer))
  (let ((buffer (current-buffer)) (tick (buffer-chars-modified-tick)) (where (point)))
    (setq infill--timer
          (run-with-timer
           infill-delay nil
           (lambda ()
             (when (buffer-live-p buffer)
               (with-current-buffer buffer
                 (when (and infill-mode
                            (= tick (buffer-chars-modified-tick)) (= where (point)))
                   (infill--ask nil)))))))))

(defun infill--ask (is-invoked)
  "Ask the server what to suggest at point; IS-INVOKED when the user asked for it."
  (when-let ((connection (and (not buffer-read-only) (not (infill--is-quiet))
                              (infill-sync))))
    (let* ((buffer (current-buffer))
           (token (cl-incf infill--last-token))
           (place (list token (buffer-chars-modified-tick) (point))))
      (setq infill--asked place)
      (jsonrpc-async-request
       connection :infill/stream
       (list :textDocument (infill-document-identifier)
             :position (infill-position (point))
             :context (list :triggerKind (if is-invoked 1 2))
             :token token)
       :timeout 120
       :error-fn #'ignore
       :success-fn (lambda (items) (infill--on-answer buffer place items is-invoked))))))

(defun infill--on-answer (buffer place items is-invoked)
  "Show the first of ITEMS in BUFFER, if it is still at PLACE.
IS-INVOKED when the user asked and should hear that there is nothing."
  (infill--at place buffer
    (lambda ()
      (setq infill--asked nil)
      (if (zerop (length items))
          (when is-invoked (message "Nothing suggested. %s" (or infill--why "")))
        (let* ((item (elt items 0)) (text (plist-get item :insertText)))
          ;; What is shown is only ever extended.
          (when (string-prefix-p (or (infill-ghost-text) "") text)
            (setq infill--command (plist-get item :command))
            (infill-ghost-show text)
            (jsonrpc-notify infill--connection :infill/didShow (make-hash-table))))))))

(defun infill--on-update (method parameters)
  "Show early what is sure of a suggestion: METHOD infill/update with PARAMETERS."
  (when (eq method 'infill/update)
    (let ((stable (or (plist-get parameters :stable) ""))
          (token (plist-get parameters :token)))
      (setq infill--why (plist-get parameters :message))
      (unless (or (string-empty-p stable) (eq t (plist-get parameters :done)))
        (dolist (buffer (buffer-list))
          (let ((place (buffer-local-value 'infill--asked buffer)))
            (when (and place (equal token (car place)))
              (infill--at place buffer
                (lambda ()
                  (when (string-prefix-p (or (infill-ghost-text) "") stable)
                    (infill-ghost-show stable)))))))))))

(defun infill--at (place buffer show)
  "Call SHOW in BUFFER if that is still at PLACE and may show something."
  (declare (indent 2))
  (when (buffer-live-p buffer)
    (with-current-buffer buffer
      (when (and infill-mode (eq place infill--asked)
                 (= (nth 1 place) (buffer-chars-modified-tick)) (= (nth 2 place) (point))
                 (not (infill--is-quiet)))
        (funcall show)))))

(defun infill--forget-request ()
  "Show nothing of what was requested."
  (when infill--timer (cancel-timer infill--timer))
  (setq infill--asked nil infill--timer nil))

(defun infill--is-quiet ()
  "Return non-nil when nothing may be suggested."
  (cl-some #'funcall infill-quiet-functions))

(defun infill-in-completion-p ()
  "Return non-nil while a completion menu is open."
  (or completion-in-region-mode
      (bound-and-true-p company-candidates)))

(defun infill-in-macro-p ()
  "Return non-nil while keys come from a macro or go to several cursors."
  (or executing-kbd-macro (bound-and-true-p multiple-cursors-mode)))

(defun infill-in-invisible-p ()
  "Return non-nil in folded text."
  (and (invisible-p (point)) t))

(defun infill--lighter ()
  "Return the mode line's word on the server."
  (pcase (plist-get infill-status :state)
    ("ready" " infill")
    ("starting" (format " infill…%s" (or (plist-get infill-status :percent) "")))
    (state (format " infill:%s" state))))

(defvar infill--keys `((infill--overlay . ,infill-active-map))
  "Has the keys of a suggestion go before those of other modes while one is shown.")
(add-to-list 'emulation-mode-map-alists 'infill--keys)
(add-hook 'infill-notification-functions #'infill--on-update)

(provide 'infill)
;;; infill.el ends here
