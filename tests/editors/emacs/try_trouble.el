;;; try_trouble.el --- infill-mode with a server that does not work -*- lexical-binding: t; -*-

(require 'infill)
(defvar test-warnings nil)
(advice-add 'display-warning :override
            (lambda (_type message &rest _) (push message test-warnings)))
(defun test-edit-often ()
  (dotimes (_ 6)
    (infill-test-type "x ")
    (infill-test-do #'infill-suggest)
    (accept-process-output nil 0.05)))

;; Missing.
(setq infill-server-command '("no-such-server"))
(find-file infill-test-file)
(infill-mode 1)
(test-edit-often)
(infill-test-tell :missing (vconcat test-warnings))
(infill-test-tell :state (plist-get infill-status :state))

;; Ends as soon as it is started: each try is an error of its own, told once.
(setq test-warnings nil
      infill-server-command '("sh" "-c" "exit 3"))
(infill-restart)
(test-edit-often)
(infill-test-tell :not-speaking (vconcat test-warnings))

;; Has ended before jsonrpc.el looks: its sentinel never runs.
(setq test-warnings nil)
(let ((make-process (symbol-function 'infill--make-process)))
  (cl-letf (((symbol-function 'infill--make-process)
             (lambda ()
               (let ((process (funcall make-process)))
                 (while (process-live-p process)
                   (accept-process-output nil 0.02))
                 process))))
    (infill-restart)))
(test-edit-often)
(infill-test-tell :ended-early (vconcat test-warnings))

;; Works, but is killed again and again.
(setq test-warnings nil
      infill-server-command infill-test-command
      infill-settings '(:enabled :json-false))
(infill-restart)
(let ((num-killed 0))
  (while (infill-running-p)
    (let ((process (jsonrpc--process infill--connection)))
      (delete-process process)
      (infill-test-wait-for "its end to be noted" (not (infill-running-p))))
    (cl-incf num-killed)
    (infill-test-do #'infill-suggest))
  (infill-test-tell :killed num-killed))
(test-edit-often)
(infill-test-tell :gave-up (vconcat test-warnings))
(infill-test-tell :text (infill-test-buffer))

;; By hand it starts again, with the buffer as it is now.
(infill-restart)
(infill-test-tell :restarted (if (infill-running-p) t :json-false))
(infill-test-tell :version infill--version)
(infill-stop)

;; Stays out of read-only and remote buffers.
(setq buffer-read-only t)
(infill-test-do #'infill-suggest)
(infill-test-tell :asked-when-read-only (if infill--asked t :json-false))
(with-temp-buffer
  (setq default-directory "/ssh:nowhere:/")
  (infill-mode 1)
  (infill-test-tell :remote (if infill-mode t :json-false)))
(infill-test-finish)
;;; try_trouble.el ends here
