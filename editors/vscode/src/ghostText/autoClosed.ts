// What to do about brackets that the editor closed while a suggestion was typed: they stand right
// of the cursor, and the suggestion has them too. Knows nothing of editors or of the model.

/** What is left of a suggestion at the cursor, and how to put it in. */
export interface Rest {
  /** Text to put at the cursor, with LF line ends. */
  text: string;
  /** Code units right of the cursor that `text` replaces, because it holds them itself. */
  numReplacedAfter: number;
}

const CLOSED_BY_EDITORS = /^[)\]}>"'`;]+$/;

/**
 * Fits `rest`, what a suggestion still has to say, to `after`, what came to stand right of the
 * cursor since it was made. With the result put in, the text is what the suggestion wants.
 *
 * @param rest with LF line ends.
 * @param after with LF line ends; "" is the common case.
 * @param isWhole whether `rest` is all there will be; else more may follow it.
 * @returns undefined when `after` is no part of the suggestion.
 */
export function besideAutoClosed(rest: string, after: string, isWhole: boolean): Rest | undefined {
  if (after === "") {
    return { text: rest, numReplacedAfter: 0 };
  }
  const closers = after.replace(/\s/g, "");
  if (!CLOSED_BY_EDITORS.test(closers)) {
    return undefined;
  }
  if (after.includes("\n")) {
    // An editor replaces within one line only: the rest has to end before what stands there.
    return isWhole && rest.endsWith(after)
      ? { text: rest.slice(0, -after.length), numReplacedAfter: 0 }
      : undefined;
  }
  if (holdsInOrder(rest, closers)) {
    return { text: rest, numReplacedAfter: after.length };
  }
  // What is still to come may hold them.
  return isWhole ? undefined : { text: rest, numReplacedAfter: 0 };
}

/** Whether each of `chars` is in `text`, one after the other. */
function holdsInOrder(text: string, chars: string): boolean {
  let from = 0;
  for (const char of chars) {
    const found = text.indexOf(char, from);
    if (found < 0) {
      return false;
    }
    from = found + 1;
  }
  return true;
}
