// What can be counted in a step of a recording. Knows nothing of how it is shown.

import type { Recording, Step, Token } from "./recording";

export interface Figures {
  numTokens: number;
  numSettled: number;
  /** Tokens that read otherwise than in the step before; 0 in the first. */
  numChanged: number;
  /** Mean over the tokens that have one; null when none has. */
  meanConfidence: number | null;
}

/** Figures of one step of a recording that has it. */
export function figuresOf(recording: Recording, stepIdx: number): Figures {
  const tokens = recording.steps[stepIdx]?.tokens ?? [];
  const known = tokens.flatMap(({ confidence }) => (confidence === null ? [] : [confidence]));
  return {
    numTokens: tokens.length,
    numSettled: tokens.filter((token) => token.isSettled).length,
    numChanged: changedTokens(recording, stepIdx).size,
    meanConfidence: known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : null,
  };
}

/** Indices of the tokens that stand where other text stood in the step before. */
export function changedTokens(recording: Recording, stepIdx: number): Set<number> {
  const before = recording.steps[stepIdx - 1];
  const changed = new Set<number>();
  if (!before) {
    return changed;
  }
  const oldText = textOf(before);
  let begin = 0;
  recording.steps[stepIdx]?.tokens.forEach((token, token_idx) => {
    if (oldText.slice(begin, begin + token.text.length) !== token.text) {
      changed.add(token_idx);
    }
    begin += token.text.length;
  });
  return changed;
}

/** The whole canvas of a step. */
export function textOf(step: Step): string {
  return step.tokens.map((token) => token.text).join("");
}

/** A confidence as one of five levels, 0 the least; null where there is none. */
export function levelOf({ confidence }: Token): number | null {
  return confidence === null ? null : Math.max(0, Math.min(4, Math.floor(confidence * 5)));
}

/** One line on a step, counted from 1 as people do. */
export function summaryOf(recording: Recording, stepIdx: number): string {
  const step = recording.steps[stepIdx];
  if (!step) {
    return recording.ending ? "Answered without denoising, from memory or lines of the file" : "";
  }
  const { numTokens, numSettled, numChanged, meanConfidence } = figuresOf(recording, stepIdx);
  const parts = [
    `Step ${stepIdx + 1} of ${recording.steps.length}`,
    `${Math.round(step.sinceBeginMs)} ms after the first`,
  ];
  if (step.numAccepted !== null) {
    parts.push(`${step.numAccepted} accepted`);
  }
  if (meanConfidence === null) {
    const numSettledChars = step.tokens
      .filter((token) => token.isSettled)
      .reduce((sum, token) => sum + token.text.length, 0);
    parts.push(`${numSettledChars} of ${textOf(step).length} characters settled`);
  } else {
    parts.push(
      `${numSettled} of ${numTokens} tokens settled`,
      `${numChanged} changed`,
      `mean confidence ${meanConfidence.toFixed(2)}`,
    );
  }
  return parts.join(" · ");
}
