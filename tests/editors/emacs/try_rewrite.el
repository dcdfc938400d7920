;;; try_rewrite.el --- infill-rewrite as its user meets it -*- lexical-binding: t; -*-

(require 'infill)
(require 'infill-rewrite)
(setq infill-server-command infill-test-command
      infill-settings infill-test-settings)

(find-file infill-test-file)
(infill-mode 1)
(infill-test-wait-for "the engine" (equal "ready" (plist-get infill-status :state)))
(defvar test-previews 0)
(add-hook 'infill-notification-functions
          (lambda (method _) (when (eq method 'infill/rewritePreview) (cl-incf test-previews))))
(defun test-wait-for-text ()
  (infill-test-wait-for "the new text" (and infill--rewrite (infill--rewrite-text infill--rewrite))))
(defun test-rewrite-line ()
  (goto-char (point-min))
  (search-forward "result = 0")
  (infill-test-do #'infill-rewrite (line-beginning-position) (line-end-position) ""))

;; Discarded: nothing has changed.
(test-rewrite-line)
(infill-test-tell :text (test-wait-for-text))
(infill-test-tell :previews test-previews)
(infill-test-tell :shown (substring-no-properties
                          (overlay-get (infill--rewrite-overlay infill--rewrite) 'after-string)))
(infill-test-tell :key (symbol-name (key-binding (kbd "C-c C-c"))))
(infill-test-do #'infill-rewrite-discard)
(infill-test-tell :discarded (infill-test-buffer))
(infill-test-tell :still-shown (if infill--rewrite t :json-false))

;; Tried again, accepted, taken back.
(test-rewrite-line)
(test-wait-for-text)
(infill-test-do #'infill-rewrite-retry)
(infill-test-tell :retried (test-wait-for-text))
(infill-test-do #'infill-rewrite-accept)
(infill-test-tell :accepted (infill-test-buffer))
(infill-test-do #'undo-only)
(infill-test-tell :undone (infill-test-buffer))

;; The text changes meanwhile: dropped.
(test-rewrite-line)
(goto-char (+ 4 (overlay-start (infill--rewrite-overlay infill--rewrite))))
(infill-test-type "x")
(infill-test-tell :dropped (if infill--rewrite :json-false t))
(infill-test-tell :left (infill-test-buffer))
(infill-test-finish)
;;; try_rewrite.el ends here
