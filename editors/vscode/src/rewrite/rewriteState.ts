// The life of one rewrite, from the first canvas to a text that can be taken. Knows nothing of who
// shows it or asks for it.

import type { RewriteAnswer, RewritePreview } from "../protocol";
import { isSameText } from "./lineEndings";

export type RewriteState =
  | {
      phase: "running";
      /** The canvas as it reads now; anything after `settledLength` may still change. */
      text: string;
      settledLength: number;
      /** Previews seen so far, one for each denoising step. */
      numSteps: number;
    }
  | {
      phase: "offered";
      text: string;
      /** What the user should know of it, "" for nothing. */
      note: string;
    }
  | {
      phase: "nothing";
      /** Why there is no text, as a sentence for the user. */
      reason: string;
    };

/** Nothing has come yet. */
export const BEGUN: RewriteState = { phase: "running", text: "", settledLength: 0, numSteps: 0 };

const NO_REASON = "The server gave no text and no reason; its log may say more.";

/**
 * The state after a preview. One that is not the next changes nothing: it is of a rewrite that was
 * ended. Nor does the last: the answer follows.
 */
export function previewed(state: RewriteState, preview: RewritePreview): RewriteState {
  if (state.phase !== "running" || preview.done || preview.sequence !== state.numSteps) {
    return state;
  }
  const { text, settledLength } = preview;
  return { phase: "running", text, settledLength, numSteps: state.numSteps + 1 };
}

/** The state once the request is answered; `oldText` is what the selection holds. */
export function answered(oldText: string, answer: RewriteAnswer | null): RewriteState {
  const text = endingAs(oldText, answer?.text ?? "");
  if (text === "") {
    return { phase: "nothing", reason: answer?.reason || NO_REASON };
  }
  if (isSameText(text, oldText)) {
    return { phase: "nothing", reason: "The model would leave the selection as it is." };
  }
  return { phase: "offered", text, note: answer?.note ?? "" };
}

/** Without the empty lines a model ends with where the selection has none: they would add up. */
function endingAs(oldText: string, newText: string): string {
  return /[\r\n][ \t]*$/.test(oldText) ? newText : newText.replace(/([ \t]*[\r\n])+[ \t]*$/, "");
}
