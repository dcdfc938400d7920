;;; infill-client.el --- Connection to infill-ls -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; Starts the language server, once per Emacs, and says in which state it is.
;; It is a connection of its own, by Emacs' jsonrpc.el: eglot and lsp-mode keep
;; theirs to the language's own server.  A server that ends is started again
;; with the next request, three times in a minute at most.
;;
;; Knows nothing of buffers, of what is requested or of how it is shown.

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)

(defgroup infill nil
  "Code suggested by a model on this machine."
  :group 'convenience
  :prefix "infill-")

(defcustom infill-server-command '("infill-ls")
  "The language server: a program and its arguments."
  :type '(repeat string))

(defcustom infill-settings nil
  "Settings of the server, a property list as jsonrpc.el turns into JSON.
For example (:mode \"line\" :engine (:url \"http://gpu:8731\")); false is
`:json-false', a list is a vector.  docs/settings.md says what there is.
Read when the server starts: see `infill-restart'."
  :type '(plist))

(defconst infill--max-starts 3
  "How often the server is started in `infill--starts-window-s'.")
(defconst infill--starts-window-s 60
  "Seconds in which `infill--max-starts' are counted.")

(defvar infill--connection nil "The connection to a server that has introduced itself, or nil.")
(defvar infill--is-starting nil "Non-nil while a server is waited for.")
(defvar infill--starts nil "When the server was started lately, newest first.")
(defvar infill--has-given-up nil "Non-nil when no more starts are tried.")
(defvar infill-status '(:state "stopped" :message "")
  "What the server told last: a property list with :state, :message and :percent.")
(defvar infill-status-functions nil
  "Called with `infill-status' when it has changed.")
(defvar infill-connected-functions nil
  "Called with a new connection, before anything else is sent.")
(defvar infill-notification-functions nil
  "Called with the method, a symbol, and the parameters of a notification.")

(defun infill-connection ()
  "Return the running connection, starting the server if need be.
Nil when that can not be; the user has been told why, once."
  (unless (and infill--connection (jsonrpc-running-p infill--connection))
    (setq infill--connection nil)
    ;; Timers run while a server is waited for, and may ask for it too.
    (unless (or infill--has-given-up infill--is-starting)
      (infill--start)))
  infill--connection)

(defun infill-running-p ()
  "Return non-nil for a running server; unlike `infill-connection' start nothing."
  (and infill--connection (jsonrpc-running-p infill--connection)))

(defun infill-stop ()
  "End the server.  The engine ends by itself after a long idle time."
  (interactive)
  (when (infill-running-p)
    (let ((connection infill--connection))
      (setq infill--connection nil)
      (ignore-errors (jsonrpc-request connection :shutdown nil :timeout 2)
                     (jsonrpc-notify connection :exit nil))
      ;; `jsonrpc-shutdown' would kill it at once, in the midst of writing its counters.
      (with-timeout (2)
        (while (jsonrpc-running-p connection)
          (accept-process-output nil 0.02)))
      (infill--kill connection)))
  (infill--set-status "stopped" ""))

(defun infill--kill (connection)
  "End the process of CONNECTION at once.
`jsonrpc-shutdown' waits for its sentinel, and for ever if the process ended
before it was given one."
  (delete-process (jsonrpc--process connection)))

(defun infill--start ()
  "Start the server and set `infill--connection', or say why that is not done."
  (let ((now (float-time)))
    (setq infill--starts
          (cl-remove-if (lambda (time) (> (- now time) infill--starts-window-s))
                        infill--starts))
    (cond
     ((not (executable-find (car infill-server-command)))
      (infill--give-up "%s is not in `exec-path'; install it with \"pip install infill-ls\" \
or set `infill-server-command', then M-x infill-restart" (car infill-server-command)))
     ((>= (length infill--starts) infill--max-starts)
      (infill--give-up "The server ended %d times within a minute; its messages are in \
the buffer \"*infill-ls stderr*\", and M-x infill-restart tries again" infill--max-starts))
     (t
      (push now infill--starts)
      (condition-case err
          (let ((infill--is-starting t))
            (infill--connect))
        ((error quit)
         (infill--give-up "The server did not start: %s" (error-message-string err))))))))

(defun infill--give-up (format-string &rest arguments)
  "Tell the user by FORMAT-STRING and ARGUMENTS, once, and try no more."
  (setq infill--has-given-up t)
  (let ((message (apply #'format format-string arguments)))
    (infill--set-status "unavailable" message)
    (display-warning 'infill message :warning)))

(defun infill--connect ()
  "Start the server's process, introduce ourselves and set `infill--connection'."
  (let ((connection (infill--make-connection)))
    (condition-case err
        (progn
          (infill--introduce connection)
          (run-hook-with-args 'infill-connected-functions connection)
          (setq infill--connection connection))
      ((error quit)
       (infill--kill connection)
       (signal (car err) (cdr err))))))

(defun infill--make-connection ()
  "Start the server's process."
  (apply #'make-instance 'jsonrpc-process-connection
         :name "infill-ls"
         :process #'infill--make-process
         :notification-dispatcher #'infill--on-notification
         :request-dispatcher #'infill--on-request
         :on-shutdown #'infill--on-shutdown
         ;; Or every message, code included, would be kept in a buffer.
         (if (ignore-errors (infill--has-events-config-p))
             '(:events-buffer-config (:size 0 :format full))
           '(:events-buffer-scrollback-size 0))))

(defun infill--introduce (connection)
  "Tell the server of CONNECTION what this client is and can do."
  (jsonrpc-request
   connection :initialize
   (list :processId (emacs-pid)
         :clientInfo (list :name "Emacs (infill)" :version emacs-version)
         :rootUri nil
         ;; Columns are counted in characters, as Emacs does.
         :capabilities '(:general (:positionEncodings ["utf-32"])
                         :workspace (:workspaceFolders t)
                         :textDocument (:inlineCompletion (:dynamicRegistration :json-false)))
         :initializationOptions (or infill-settings (make-hash-table))
         :workspaceFolders [])
   :timeout 30)
  (jsonrpc-notify connection :initialized (make-hash-table)))

(defun infill--has-events-config-p ()
  "Return non-nil where jsonrpc.el has the newer name for its log's size."
  (cl-find '-events-buffer-config
           (mapcar #'cl--slot-descriptor-name
                   (cl--class-slots (cl--find-class 'jsonrpc-connection)))))

(defun infill--make-process ()
  "Make the server's process."
  (let ((default-directory (expand-file-name "~/")))
    (make-process :name "infill-ls"
                  :command infill-server-command
                  :connection-type 'pipe
                  :coding 'utf-8-emacs-unix
                  :noquery t
                  ;; The name that jsonrpc.el expects.
                  :stderr (get-buffer-create "*infill-ls stderr*"))))

(defun infill--on-notification (_connection method parameters)
  "Take note of the notification METHOD with PARAMETERS."
  (pcase method
    ('infill/status
     (infill--set-status (plist-get parameters :state) (plist-get parameters :message)
                         (plist-get parameters :percent)))
    ('window/showMessage
     (message "%s" (plist-get parameters :message)))
    (_ (run-hook-with-args 'infill-notification-functions method parameters))))

(defun infill--on-request (_connection method _parameters)
  "Refuse the server's request METHOD: nothing was said to be possible."
  (jsonrpc-error :code -32601 :message (format "%s is not known here" method)))

(defun infill--on-shutdown (connection)
  "Take note that the process of CONNECTION has ended."
  (when (eq connection infill--connection)
    (setq infill--connection nil)
    (infill--set-status "stopped" "The server has ended.")))

(defun infill--set-status (state message &optional percent)
  "Set `infill-status' to STATE, MESSAGE and PERCENT, and tell of it."
  (setq infill-status (list :state state :message message :percent percent))
  (run-hook-with-args 'infill-status-functions infill-status))

(add-hook 'kill-emacs-hook #'infill-stop)

(provide 'infill-client)
;;; infill-client.el ends here
