// How an old and a new text differ, line by line and within a line. Knows nothing of how that is
// drawn, nor that the new text may still change.

import { diffArrays, diffWordsWithSpace } from "diff";

/** A stretch of a line; `isChanged`: it is what makes the old and the new line differ. */
export interface Part {
  text: string;
  isChanged: boolean;
}

export interface DiffLine {
  kind: "same" | "removed" | "added";
  /** Without a line ending; together the whole line. */
  parts: Part[];
}

/** Lines left out: because nothing near them differs, or because many go one after another. */
export interface Fold {
  kind: "fold";
  of: "same" | "removed";
  numLines: number;
}

export type FoldedLine = DiffLine | Fold;

/** Lines that have less than this in common are shown as one gone and another come. */
const LEAST_ALIKE = 0.4;

/** The lines of both texts in the order of a unified diff; a lone line ending at the end counts. */
export function diffLines(oldText: string, newText: string): DiffLine[] {
  const lines: DiffLine[] = [];
  let removed: string[] = [];
  const flush = (added: string[]): void => {
    const pairs = removed.map((line, line_idx) => changedParts(line, added[line_idx]));
    lines.push(
      ...removed.map((line, line_idx) => row("removed", pairs[line_idx]?.old ?? whole(line))),
      ...added.map((line, line_idx) => row("added", pairs[line_idx]?.new ?? whole(line))),
    );
    removed = [];
  };
  for (const change of diffArrays(splitLines(oldText), splitLines(newText))) {
    if (change.removed) {
      removed = change.value;
    } else if (change.added) {
      flush(change.value);
    } else {
      flush([]);
      lines.push(...change.value.map((line) => row("same", whole(line))));
    }
  }
  flush([]);
  return lines;
}

/**
 * The diff with long runs folded away: of what lies more than `numContext` lines from any change,
 * and of what is removed, but for as many lines at both ends.
 */
export function foldLongRuns(lines: readonly DiffLine[], numContext: number): FoldedLine[] {
  const folded: FoldedLine[] = [];
  for (let start = 0; start < lines.length; ) {
    const kind = lines[start]?.kind;
    let end = start;
    while (end < lines.length && lines[end]?.kind === kind) {
      end += 1;
    }
    const run = lines.slice(start, end);
    if (kind === "same") {
      const numBefore = start === 0 ? 0 : numContext;
      const numAfter = end === lines.length ? 0 : numContext;
      folded.push(...foldMiddle(run, "same", numBefore, numAfter));
    } else if (kind === "removed") {
      folded.push(...foldMiddle(run, "removed", numContext, numContext));
    } else {
      folded.push(...run);
    }
    start = end;
  }
  return folded;
}

function foldMiddle(
  run: DiffLine[],
  of: Fold["of"],
  numBefore: number,
  numAfter: number,
): FoldedLine[] {
  const numLines = run.length - numBefore - numAfter;
  // A fold in place of a single line would save nothing.
  return numLines > 1
    ? [...run.slice(0, numBefore), { kind: "fold", of, numLines }, ...run.slice(run.length - numAfter)]
    : run;
}

/** Which parts make two lines differ; `undefined` where they have too little in common. */
function changedParts(
  oldLine: string,
  newLine: string | undefined,
): { old: Part[]; new: Part[] } | undefined {
  if (newLine === undefined) {
    return undefined;
  }
  const parts: { old: Part[]; new: Part[] } = { old: [], new: [] };
  let numCommon = 0;
  for (const change of diffWordsWithSpace(oldLine, newLine)) {
    const isChanged = change.added || change.removed;
    if (!isChanged) {
      numCommon += change.value.trim().length;
    }
    if (!change.added) {
      parts.old.push({ text: change.value, isChanged });
    }
    if (!change.removed) {
      parts.new.push({ text: change.value, isChanged });
    }
  }
  const longest = Math.max(oldLine.trim().length, newLine.trim().length);
  return numCommon < LEAST_ALIKE * longest ? undefined : parts;
}

function row(kind: DiffLine["kind"], parts: Part[]): DiffLine {
  return { kind, parts };
}

function whole(line: string): Part[] {
  return [{ text: line, isChanged: false }];
}

function splitLines(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}
