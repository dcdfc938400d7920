;;; read_settings.el --- The server's settings in some elisp -*- lexical-binding: t; -*-

;;; Commentary:

;; Reads a file's forms without running them, and prints as JSON what follows
;; the names under which settings are given.

;;; Code:

(require 'cl-lib)

(defconst read-settings-names
  '(:initializationOptions :initialization-options infill-settings)
  "What settings stand behind.")

(defun read-settings (file)
  "Print the settings in FILE, a JSON list."
  (with-temp-buffer
    (insert-file-contents file)
    (let ((forms nil) (form nil))
      (while (setq form (ignore-error end-of-file (read (current-buffer))))
        (push form forms))
      (skip-chars-forward " \n\t")
      (unless (eobp) (error "Unbalanced"))
      (princ (json-serialize (vconcat (read-settings-in (nreverse forms)))
                             :false-object :json-false)))))

(defun read-settings-in (form)
  "Return all settings in FORM, a list."
  (when (consp form)
    (append
     (cl-loop for tail on form
              for (name value) = (list (car tail) (car-safe (cdr-safe tail)))
              when (memq name read-settings-names)
              collect (if (eq (car-safe value) 'quote) (cadr value) value))
     (cl-loop for tail = form then (cdr tail) while (consp tail)
              append (read-settings-in (car tail)))
     (let ((end (cdr (last form)))) (read-settings-in end)))))

;;; read_settings.el ends here
