;;; try_eglot.el --- eglot with the configuration of docs/editors.md -*- lexical-binding: t; -*-

(require 'package)
;; -Q leaves out where Debian keeps its packages.
(add-to-list 'package-directory-list "/usr/share/emacs/site-lisp/elpa")
(package-initialize)
(require 'eglot)
(setq eglot-confirm-server-initiated-edits nil
      eglot-confirm-server-edits nil
      ;; Newer Emacs asks before it connects in a batch.
      eglot-sync-connect 60)
(add-to-list 'eglot-server-programs
             `(python-mode . (,@infill-test-command
                              :initializationOptions ,infill-test-settings)))
(defvar test-status nil)
(cl-defmethod eglot-handle-notification (_server (_method (eql infill/status)) &key state message
                                                 &allow-other-keys)
  (setq test-status (list state message)))

(find-file infill-test-file)
(infill-test-tell :eglot (if (boundp 'eglot-version) eglot-version "built in"))
(call-interactively #'eglot)
(infill-test-tell :managed (if (eglot-managed-p) t :json-false))
(infill-test-wait-for (format "the engine: %S" test-status) (equal "ready" (car test-status)))

;; The completion menu has the suggestion.
(goto-char (point-min))
(search-forward "result = 0\n")
(insert "    return \n")
(backward-char)
(let* ((data (run-hook-wrapped 'completion-at-point-functions
                               (lambda (function)
                                 (let ((found (funcall function)))
                                   (and (consp found) found)))))
       (beg (nth 0 data)) (end (nth 1 data)) (table (nth 2 data))
       (found (all-completions (buffer-substring-no-properties beg end) table)))
  (infill-test-tell :offered (vconcat (mapcar #'substring-no-properties found)))
  (when found
    (delete-region beg end)
    (insert (car found))
    (funcall (plist-get (nthcdr 3 data) :exit-function) (car found) 'finished)))
(infill-test-tell :completed (infill-test-buffer))

;; The request of LSP 3.18, raw.
(end-of-line)
(insert "\n    return ")
(eglot--signal-textDocument/didChange)
(let ((items (jsonrpc-request (eglot-current-server) :textDocument/inlineCompletion
                              (append (eglot--TextDocumentPositionParams)
                                      '(:context (:triggerKind 1)))
                              :timeout 60)))
  (infill-test-tell :inline (vconcat (mapcar (lambda (item) (plist-get item :insertText)) items))))

;; The code action applies to what is selected, once.
(goto-char (point-min))
(search-forward "for number in numbers:")
(infill-test-tell :before-rewrite (infill-test-buffer))
(let* ((beg (line-beginning-position)) (end (line-end-position))
       (actions (jsonrpc-request
                 (eglot-current-server) :textDocument/codeAction
                 (list :textDocument (eglot--TextDocumentIdentifier)
                       :range (list :start (eglot--pos-to-lsp-position beg)
                                    :end (eglot--pos-to-lsp-position end))
                       :context '(:diagnostics [])))))
  (infill-test-tell :actions (vconcat (mapcar (lambda (action) (plist-get action :title)) actions)))
  (let ((command (plist-get (elt actions 0) :command)))
    (infill-test-tell
     :answer
     (jsonrpc-request (eglot-current-server) :workspace/executeCommand
                      (list :command (plist-get command :command)
                            :arguments (plist-get command :arguments))
                      :timeout 60))))
(infill-test-tell :rewritten (infill-test-buffer))
(eglot-shutdown (eglot-current-server))
(infill-test-finish)
;;; try_eglot.el ends here
