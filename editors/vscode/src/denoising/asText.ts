// A recording as plain text, for bug reports. It holds code: nobody but the user sends it anywhere.

import { summaryOf, textOf } from "./figures";
import type { Recording } from "./recording";

/** Every step with its text, its tokens and how sure each is, and how it ended. */
export function recordingAsText(recording: Recording): string {
  const lines = [`infill-ls denoising, ${recording.kind}, ${recording.steps.length} steps`];
  recording.steps.forEach((step, step_idx) => {
    lines.push("", summaryOf(recording, step_idx), `text    ${JSON.stringify(textOf(step))}`);
    if (step.stable !== null) {
      lines.push(`shown   ${JSON.stringify(step.stable)}`);
    }
    const tokens = step.tokens.filter((token) => token.confidence !== null);
    if (tokens.length > 0) {
      const each = tokens.map(
        ({ text, confidence, isSettled }) =>
          `${JSON.stringify(text)} ${confidence?.toFixed(2)}${isSettled ? " settled" : ""}`,
      );
      lines.push(`tokens  ${each.join(", ")}`);
    }
  });
  const { ending } = recording;
  if (ending) {
    lines.push("", `offered ${JSON.stringify(ending.text)}`);
    if (ending.message) {
      lines.push(`because ${ending.message}`);
    }
  } else {
    lines.push("", "not finished");
  }
  return lines.join("\n") + "\n";
}
