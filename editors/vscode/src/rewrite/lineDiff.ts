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

/** Lines left out because nothing near them differs. */
export interface Fold {
  kind: "fold";
  numLines: number;
}

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

/** The diff with what lies more than `numContext` lines from any change folded away. */
export function foldUnchanged(lines: readonly DiffLine[], numContext: number): (DiffLine | Fold)[] {
  const folded: (DiffLine | Fold)[] = [];
  for (let start = 0; start < lines.length; ) {
    const line = lines[start];
    if (line?.kind !== "same") {
      if (line) {
        folded.push(line);
      }
      start += 1;
      continue;
    }
    let end = start;
    while (lines[end]?.kind === "same") {
      end += 1;
    }
    const numBefore = start === 0 ? 0 : numContext;
    const numAfter = end === lines.length ? 0 : numContext;
    const numLeftOut = end - start - numBefore - numAfter;
    // A fold in place of a single line would save nothing.
    if (numLeftOut > 1) {
      folded.push(
        ...lines.slice(start, start + numBefore),
        { kind: "fold", numLines: numLeftOut },
        ...lines.slice(end - numAfter, end),
      );
    } else {
      folded.push(...lines.slice(start, end));
    }
    start = end;
  }
  return folded;
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
