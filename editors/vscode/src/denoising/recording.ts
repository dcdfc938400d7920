// What one request's canvas looked like after each step, as far as the server told. Knows nothing
// of who looks at it.

import type { RewritePreview, StreamUpdate } from "../protocol";

export interface Token {
  text: string;
  /** 0 to 1; null where the server does not say, as for text of earlier canvases. */
  confidence: number | null;
  /** Whether all of it will stay. */
  isSettled: boolean;
}

export interface Step {
  /** Number of the denoising step within its canvas, from 0; null when not known. */
  step: number | null;
  /** Canvas positions accepted in this step; null when not told. */
  numAccepted: number | null;
  tokens: Token[];
  /** What an editor may show by now; null when not told. */
  stable: string | null;
  /** Since the first update of the request. */
  sinceBeginMs: number;
}

export interface Ending {
  /** What was offered, "" for nothing. */
  text: string;
  /** Why nothing was offered, as a sentence; "" when something was, or nobody knows. */
  message: string;
}

export interface Recording {
  kind: "suggestion" | "rewrite";
  steps: Step[];
  ending: Ending | null;
}

/** What an update did to the recording. */
export type Change =
  | { type: "begin"; recording: Recording }
  | { type: "step"; step: Step }
  | { type: "ending"; ending: Ending };

/** Keeps the last request that was denoised; an earlier one is forgotten when it begins. */
export class Recorder {
  recording: Recording | undefined;
  private recordedToken: string | undefined;
  private beganAtMs = 0;
  private readonly numRewrites = new Map<string, number>();
  /** While false, what is kept stays and new requests are let pass. */
  isFollowing = true;

  /** Takes an update that came at `nowMs`; `undefined`: it changes nothing. */
  addUpdate(update: StreamUpdate, nowMs: number): Change | undefined {
    const token = `stream ${update.token}`;
    if (update.done) {
      const ending = { text: update.stable ?? update.text, message: update.message ?? "" };
      return this.end(token, "suggestion", ending);
    }
    return this.add(token, "suggestion", nowMs, {
      step: update.step ?? null,
      numAccepted: update.accepted ?? null,
      tokens: tokensOf(update),
      stable: update.stable ?? null,
    });
  }

  /** The same for the preview of a rewrite, which says nothing of single tokens. */
  addPreview(preview: RewritePreview, nowMs: number): Change | undefined {
    // Sequence numbers begin anew with every rewrite, and nothing else tells two apart.
    const numBefore = this.numRewrites.get(preview.uri) ?? 0;
    const numRewrites = preview.sequence === 0 ? numBefore + 1 : numBefore;
    this.numRewrites.set(preview.uri, numRewrites);
    const token = `rewrite ${numRewrites} ${preview.uri}`;
    if (preview.done) {
      return this.end(token, "rewrite", { text: preview.text, message: "" });
    }
    return this.add(token, "rewrite", nowMs, {
      step: preview.sequence,
      numAccepted: null,
      tokens: tokensOf(preview),
      stable: null,
    });
  }

  private add(
    token: string,
    kind: Recording["kind"],
    nowMs: number,
    values: Omit<Step, "sinceBeginMs">,
  ): Change | undefined {
    if (token !== this.recordedToken) {
      if (!this.isFollowing) {
        return undefined;
      }
      this.recordedToken = token;
      this.beganAtMs = nowMs;
      this.recording = { kind, steps: [{ ...values, sinceBeginMs: 0 }], ending: null };
      return { type: "begin", recording: this.recording };
    }
    const step = { ...values, sinceBeginMs: nowMs - this.beganAtMs };
    this.recording?.steps.push(step);
    return { type: "step", step };
  }

  private end(token: string, kind: Recording["kind"], ending: Ending): Change | undefined {
    if (token === this.recordedToken && this.recording) {
      this.recording.ending = ending;
      return { type: "ending", ending };
    }
    // Answered without a step, from memory or by lines of the file. Nothing at all is not worth
    // forgetting the last recording for.
    if (!ending.text || !this.isFollowing) {
      return undefined;
    }
    this.recordedToken = token;
    this.recording = { kind, steps: [], ending };
    return { type: "begin", recording: this.recording };
  }
}

interface Canvas {
  text: string;
  settledLength: number;
  confidence?: number[];
  tokenLengths?: number[];
}

/** The canvas cut into what its positions spell, the text before them in front. */
export function tokensOf(canvas: Canvas): Token[] {
  const lengths = canvas.tokenLengths ?? [];
  const numSpelled = lengths.reduce((sum, length) => sum + length, 0);
  const tokens: Token[] = [];
  const add = (begin: number, end: number, confidence: number | null): void => {
    if (end > begin) {
      const text = canvas.text.slice(begin, end);
      tokens.push({ text, confidence, isSettled: end <= canvas.settledLength });
    }
  };
  let end = Math.max(0, canvas.text.length - numSpelled);
  const { settledLength } = canvas;
  if (settledLength > 0 && settledLength < end) {
    add(0, settledLength, null);
    add(settledLength, end, null);
  } else {
    add(0, end, null);
  }
  lengths.forEach((length, position_idx) => {
    add(end, end + length, canvas.confidence?.[position_idx] ?? null);
    end += length;
  });
  return tokens;
}
