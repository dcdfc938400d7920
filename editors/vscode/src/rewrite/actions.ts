// What the user can do with a rewrite in each phase, and the keys for it. Knows nothing of what is
// done then.

import type { Action } from "./diffMarkdown";
import type { RewriteState } from "./rewriteState";

const DISCARD = { title: "Discard", command: "infill.rewrite.discard", key: "Esc" };
const RETRY = { title: "Retry", command: "infill.rewrite.retry" };
const SHOW_DIFF = { title: "Show diff", command: "infill.rewrite.showDiff" };

/** The actions offered, the likeliest first. On a Mac the key beside Enter has another name. */
export function actionsIn(phase: RewriteState["phase"], isMac: boolean): Action[] {
  switch (phase) {
    case "running":
      return [{ ...DISCARD, title: "Stop" }];
    case "offered": {
      const key = isMac ? "⌘Enter" : "Ctrl+Enter";
      return [
        { title: "Accept", command: "infill.rewrite.accept", key },
        DISCARD,
        RETRY,
        SHOW_DIFF,
      ];
    }
    case "nothing":
      return [RETRY, DISCARD];
  }
}
