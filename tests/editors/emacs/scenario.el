;;; scenario.el --- What scripts of these tests share -*- lexical-binding: t; -*-

;;; Commentary:

;; Waits for conditions, runs commands as if by their keys, and tells results.
;; Batch Emacs has no command loop: `infill-test-do' stands in for it.

;;; Code:

(require 'cl-lib)
(require 'json)

(defvar infill-test-file nil)
(defvar infill-test-told nil)
(defvar infill-test-command nil)
(defvar infill-test-settings nil)
(defvar infill-test-results nil)

(defun infill-test-read (file)
  "Set the variables that FILE names."
  (let ((given (json-parse-string
                (with-temp-buffer (insert-file-contents file) (buffer-string))
                :object-type 'plist :array-type 'list :false-object :json-false)))
    (cl-loop for (key value) on given by #'cddr
             do (set (intern (substring (symbol-name key) 1)) value))
    ;; Lists are vectors in what is sent.
    (cl-loop for tail on (cdr infill-test-settings) by #'cddr
             when (and (consp (car tail)) (not (keywordp (caar tail))))
             do (setcar tail (vconcat (car tail))))))

(defun infill-test-tell (name value)
  "Note the result VALUE under NAME."
  (setq infill-test-results (append infill-test-results (list name (or value :null)))))

(defun infill-test-finish ()
  "Write the results."
  (with-temp-file infill-test-told
    (insert (json-serialize infill-test-results :null-object :null :false-object :json-false))))

(defmacro infill-test-wait-for (what &rest body)
  "Wait until BODY is non-nil and return that; fail with WHAT."
  (declare (indent 1))
  `(let ((until (+ (float-time) 180)) (value nil))
     (while (and (not (setq value (progn ,@body))) (< (float-time) until))
       (accept-process-output nil 0.02))
     (or value (error "Gave up waiting for %s; the server's status: %S"
                      ,what (bound-and-true-p infill-status)))))

(defun infill-test-do (command &rest arguments)
  "Run COMMAND with ARGUMENTS as the command loop does."
  (undo-boundary)
  (setq this-command command)
  (run-hooks 'pre-command-hook)
  (apply command arguments)
  (run-hooks 'post-command-hook)
  (setq last-command command))

(defun infill-test-type (text)
  "Type TEXT, key by key."
  (dolist (char (string-to-list text))
    (let ((last-command-event char))
      (infill-test-do #'self-insert-command 1 char))))

(defun infill-test-buffer ()
  "Return the whole text of the buffer."
  (buffer-substring-no-properties (point-min) (point-max)))

(provide 'scenario)
;;; scenario.el ends here
