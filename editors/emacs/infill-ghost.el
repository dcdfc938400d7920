;;; infill-ghost.el --- A suggestion shown at the cursor -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; One suggestion a buffer, drawn behind point by an overlay that changes no
;; text.  What is typed of it is taken from it at once, before anything is
;; redrawn, so that it never blinks or jumps.  It is inserted whole or in part,
;; as one undo step.
;;
;; Knows nothing of where suggestions come from.

;;; Code:

(require 'cl-lib)

(defface infill-ghost '((t :inherit shadow))
  "What is suggested, before it is accepted."
  :group 'infill)

(defvar-local infill--overlay nil "Draws what is shown; nil when nothing is.")
(defvar-local infill--ghost "" "What is shown and not typed yet.")
(defvar-local infill--accepting nil "Non-nil while text of the suggestion is inserted.")
(defvar-local infill--num-accepted 0 "Characters taken so far of the suggestion shown.")

(defun infill-ghost-text ()
  "Return what is suggested at point, nil when nothing is."
  (and infill--overlay infill--ghost))

(defun infill-ghost-show (text)
  "Show TEXT at point, in place of what was shown."
  (unless infill--overlay
    (setq infill--overlay (make-overlay (point) (point) nil t nil)
          infill--num-accepted 0))
  (setq infill--ghost text)
  (infill--draw))

(defun infill-ghost-clear ()
  "Show nothing."
  (when infill--overlay
    (delete-overlay infill--overlay)
    (setq infill--overlay nil infill--ghost "")))

(defun infill-ghost-take (num-chars)
  "Insert the first NUM-CHARS of what is shown, as one undo step; keep the rest."
  (let ((text (substring infill--ghost 0 num-chars)))
    (undo-boundary)
    (let ((infill--accepting t))
      (insert text))
    (infill--move-on num-chars)))

(defun infill-ghost-word-length ()
  "Return the length of the first word shown, with blanks before it."
  (string-match "\\`[[:space:]\n]*\\(?:[[:alnum:]_]+\\|[^[:alnum:]_[:space:]\n]+\\|\\'\\)"
                infill--ghost)
  (match-end 0))

(defun infill-ghost-line-length ()
  "Return the length of the first line of what is shown.
At a line's end that is the next line, with the line break before it."
  (string-match "\\`\n*[^\n]*" infill--ghost)
  (match-end 0))

(defun infill-ghost-after-change (beg end num-replaced)
  "Adapt to the change to the text from BEG to END, NUM-REPLACED characters before.
What is typed as suggested is taken from it; anything else ends it."
  (when (and infill--overlay (not infill--accepting))
    (let ((typed (buffer-substring-no-properties beg end)))
      (if (and (zerop num-replaced)
               (= beg (overlay-start infill--overlay))
               (< 0 (length typed) (length infill--ghost))
               (string-prefix-p typed infill--ghost))
          (infill--move-on (length typed) end)
        (infill-ghost-clear)))))

(defun infill--move-on (num-chars &optional where)
  "Show what comes after NUM-CHARS of the suggestion, at WHERE or point."
  (cl-incf infill--num-accepted num-chars)
  (setq infill--ghost (substring infill--ghost num-chars))
  (if (string-empty-p infill--ghost)
      (infill-ghost-clear)
    (move-overlay infill--overlay (or where (point)) (or where (point)))
    (infill--draw)))

(defun infill--draw ()
  "Draw `infill--ghost' behind the overlay's place."
  (let ((text (propertize infill--ghost 'face 'infill-ghost)))
    ;; The cursor is drawn before the text and not behind it.
    (put-text-property 0 1 'cursor t text)
    (overlay-put infill--overlay 'after-string text)))

(provide 'infill-ghost)
;;; infill-ghost.el ends here
