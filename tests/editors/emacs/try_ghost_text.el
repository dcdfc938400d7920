;;; try_ghost_text.el --- infill-mode as its user meets it -*- lexical-binding: t; -*-

(require 'infill)
(setq infill-server-command infill-test-command
      infill-settings infill-test-settings)

(find-file infill-test-file)
(defvar test-num-requests 0)
(advice-add 'jsonrpc-async-request :before
            (lambda (_connection method &rest _)
              (when (eq method :infill/stream) (cl-incf test-num-requests))))
(infill-mode 1)
(infill-test-wait-for "the engine" (equal "ready" (plist-get infill-status :state)))
(defun test-wait-for-ghost ()
  (infill-test-wait-for "a suggestion" (and (null infill--asked) (infill-ghost-text))))

;; Typed, shown, typed through.
(goto-char (point-max))
(infill-test-type "    return ")
(infill-test-tell :offered (test-wait-for-ghost))
(infill-test-tell :drawn (substring-no-properties (overlay-get infill--overlay 'after-string)))
(infill-test-tell :unchanged (infill-test-buffer))
(let ((num-requests test-num-requests))
  (infill-test-type (substring (infill-ghost-text) 0 2))
  (infill-test-tell :typed-through (infill-ghost-text))
  (accept-process-output nil (* 4 infill-delay))
  (infill-test-tell :requests-for-it (- test-num-requests num-requests)))

;; Word by word, and back.
(let ((word-length (infill-ghost-word-length)))
  (infill-test-do #'infill-accept-word)
  (infill-test-tell :word-length word-length)
  (infill-test-tell :after-word (infill-test-buffer))
  (infill-test-tell :rest (infill-ghost-text)))
(when (infill-ghost-text)
  (infill-test-do #'infill-accept))
(infill-test-tell :accepted (infill-test-buffer))
(infill-test-tell :cursor-at-end (if (eobp) t :json-false))
(infill-test-tell :shown-after (if (infill-ghost-text) t :json-false))

;; Dismissed; moved away; something else typed.
(infill-test-do #'newline)
(infill-test-type "    total = ")
(test-wait-for-ghost)
(infill-test-do #'infill-dismiss)
(infill-test-tell :after-dismissing (infill-ghost-text))
(infill-test-do #'infill-suggest)
(test-wait-for-ghost)
(infill-test-do #'backward-char)
(infill-test-tell :after-moving (infill-ghost-text))
(goto-char (point-max))
(infill-test-do #'infill-suggest)
(test-wait-for-ghost)
(infill-test-type "§")
(infill-test-tell :after-typing-else (infill-ghost-text))

;; Accepted whole, taken back with one undo.
(infill-test-do #'delete-char -1)
(infill-test-do #'infill-suggest)
(test-wait-for-ghost)
(let ((before (infill-test-buffer)))
  (infill-test-do #'infill-accept)
  (infill-test-tell :grown (if (> (buffer-size) (length before)) t :json-false))
  (infill-test-do #'undo-only)
  (infill-test-tell :undone (if (equal before (infill-test-buffer)) t :json-false)))

;; Fast: typed while the request is under way, accepted as soon as something shows.
(infill-test-do #'newline)
(infill-test-type "    for number in ")
(test-wait-for-ghost)
(let ((expected (concat (infill-test-buffer) (infill-ghost-text))))
  (infill-test-do #'infill-accept)
  (infill-test-tell :fast (if (equal expected (infill-test-buffer)) t :json-false)))

;; What the server believes is what is in the buffer.
(insert "é😀\n")
(goto-char (point-min))
(forward-line 2)
(insert "\n\n# 漢字 ")
(upcase-region (point-min) (+ (point-min) 6))
(infill-test-tell :changes-sent (if (consp infill--changes) t :json-false))
(infill-sync)

;; Off: nothing is shown or asked.
(infill-mode -1)
(infill-test-tell :after-off (infill-ghost-text))
(infill-test-tell :hooks (if (memq #'infill--after-command post-command-hook) t :json-false))
(let ((process (jsonrpc--process infill--connection)))
  (infill-stop)
  (infill-test-wait-for "the server's end" (not (process-live-p process)))
  (infill-test-tell :exit-status (or (process-exit-status process) -1)))
(infill-test-finish)
;;; try_ghost_text.el ends here
