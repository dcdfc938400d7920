;;; infill-document.el --- Mirrors a buffer in infill-ls -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; Opens a buffer in the server, tells of each change, and translates between
;; buffer positions and LSP's.  Changes are collected and sent before the next
;; request, so that the server knows where something was typed.
;;
;; Knows nothing of suggestions.

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)
(require 'project)
(require 'url-util)
(require 'infill-client)

(defvar infill-language-ids
  '(("c++" . "cpp") ("sh" . "shellscript") ("bash" . "shellscript") ("js" . "javascript")
    ("js2" . "javascript") ("js-jsx" . "javascriptreact") ("rjsx" . "javascriptreact")
    ("tsx" . "typescriptreact") ("mhtml" . "html") ("conf-toml" . "toml")
    ("js-json" . "json") ("gfm" . "markdown") ("emacs-lisp" . "lisp"))
  "What LSP calls the languages whose major mode, less \"-mode\", has another name.")

(defvar-local infill--version nil "The document's version; nil when it is not open.")
(defvar-local infill--opened-on nil "The connection that knows the document.")
(defvar-local infill--uri nil "The document's address, while it is open.")
(defvar-local infill--changes nil "Changes not sent yet, newest first; t for the whole text.")
(defvar-local infill--before nil "What the next change replaces: (BEG END RANGE).")
(defvar infill--folders nil "Addresses of the folders the server was told of.")

(defun infill-position (where)
  "Return the buffer position WHERE as an LSP position, in characters."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char where)
      (list :line (1- (line-number-at-pos nil t))
            :character (- (point) (line-beginning-position))))))

(defun infill-buffer-position (position)
  "Return the buffer position of the LSP POSITION; past a line's end is its end."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char (point-min))
      (forward-line (plist-get position :line))
      (min (line-end-position) (+ (point) (plist-get position :character))))))

(defun infill-document-identifier ()
  "Return the buffer's TextDocumentIdentifier."
  (list :uri infill--uri))

(defun infill-sync ()
  "Bring the server's copy of this buffer up to date; return the connection.
Opens the document if the server does not know it.  Nil without a server."
  (when-let ((connection (infill-connection)))
    (if (eq connection infill--opened-on)
        (infill--send-changes connection)
      (infill--open connection))
    connection))

(defun infill-close ()
  "Have the server forget this buffer."
  (when (and infill--version (infill-running-p) (eq infill--connection infill--opened-on))
    (jsonrpc-notify infill--connection :textDocument/didClose
                    (list :textDocument (infill-document-identifier))))
  (setq infill--version nil infill--opened-on nil infill--changes nil))

(defun infill--open (connection)
  "Tell CONNECTION this buffer's text."
  (setq infill--version 1
        infill--opened-on connection
        infill--changes nil
        infill--uri (infill--uri-of (or buffer-file-name (buffer-name)) buffer-file-name))
  (infill--tell-folder connection)
  (jsonrpc-notify connection :textDocument/didOpen
                  (list :textDocument
                        (list :uri infill--uri :languageId (infill--language-id)
                              :version infill--version :text (infill--whole-text)))))

(defun infill--send-changes (connection)
  "Tell CONNECTION what has changed, if anything has."
  (when infill--changes
    (cl-incf infill--version)
    (jsonrpc-notify connection :textDocument/didChange
                    (list :textDocument (list :uri infill--uri :version infill--version)
                          :contentChanges
                          (if (eq infill--changes t)
                              (vector (list :text (infill--whole-text)))
                            (vconcat (reverse infill--changes)))))
    (setq infill--changes nil)))

(defun infill--tell-folder (connection)
  "Tell CONNECTION of this buffer's project, if it is new."
  (when-let* ((project (and buffer-file-name (project-current)))
              (root (if (fboundp 'project-root) (project-root project)))
              (uri (infill--uri-of (directory-file-name (expand-file-name root)) t)))
    (unless (member uri infill--folders)
      (push uri infill--folders)
      (jsonrpc-notify
       connection :workspace/didChangeWorkspaceFolders
       (list :event (list :added (vector (list :uri uri :name (file-name-nondirectory root)))
                          :removed []))))))

(defun infill--before-change (beg end)
  "Note what stands from BEG to END, before that is changed."
  (setq infill--before
        (list beg end (list :start (infill-position beg) :end (infill-position end)))))

(defun infill--after-change (beg end num-replaced)
  "Note the change to the text from BEG to END, which had NUM-REPLACED characters."
  (pcase-let ((`(,old-beg ,old-end ,range) infill--before))
    (cond
     ((eq infill--changes t))
     ;; Emacs may announce more than it changes then; the whole text is right in any case.
     ((not (and (eql beg old-beg) (eql (+ beg num-replaced) old-end)))
      (setq infill--changes t))
     (t (push (list :range range :text (infill--text beg end)) infill--changes)))
    (setq infill--before nil)))

(defun infill--whole-text ()
  "Return the buffer's text, whatever is visible of it."
  (save-restriction
    (widen)
    (infill--text (point-min) (point-max))))

(defun infill--text (beg end)
  "Return the text from BEG to END as JSON can hold it: raw bytes become U+FFFD."
  (replace-regexp-in-string "[^\x0-\x10ffff]" "\ufffd" (buffer-substring-no-properties beg end)
                            t t))

(defun infill--uri-of (name is-file)
  "Return the address of NAME: of a file if IS-FILE, else of an unsaved text."
  (concat (if is-file "file://" "untitled:")
          (url-hexify-string name url-path-allowed-chars)))

(defun infill--language-id ()
  "Return LSP's name for the language of this buffer's major mode."
  (let ((name (replace-regexp-in-string "\\(-ts\\)?-mode\\'" "" (symbol-name major-mode))))
    (or (cdr (assoc name infill-language-ids)) name)))

(defun infill--forget-folders (&rest _)
  "Forget the folders told: a new connection knows none."
  (setq infill--folders nil))

(add-hook 'infill-connected-functions #'infill--forget-folders)

(provide 'infill-document)
;;; infill-document.el ends here
