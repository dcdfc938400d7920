// Draws one step's canvas as text, each token coloured by how sure it is. Knows nothing of other
// steps but which tokens changed.

import { levelOf } from "../figures";
import type { Token } from "../recording";

/** Puts the tokens into `element` in place of what was there. */
export function drawTokens(
  element: HTMLElement,
  tokens: readonly Token[],
  changed: ReadonlySet<number>,
): void {
  element.replaceChildren(
    ...tokens.map((token, token_idx) => {
      const span = document.createElement("span");
      const level = levelOf(token);
      span.classList.add("token");
      span.classList.toggle("settled", token.isSettled);
      span.classList.toggle("changed", changed.has(token_idx));
      if (level !== null) {
        span.classList.add(`level${level}`);
      }
      // A line's end is a token too, and would have no colour to be seen.
      span.textContent = token.text.replace(/\n/g, "⏎\n");
      span.title = describe(token);
      return span;
    }),
  );
}

function describe({ confidence, isSettled }: Token): string {
  const sure = confidence === null ? "of an earlier canvas" : `${Math.round(100 * confidence)} % sure`;
  return isSettled ? `${sure}, settled` : sure;
}
