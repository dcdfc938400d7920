// Where a selection lies after edits elsewhere in its document. Knows nothing of VS Code: positions
// are lines and UTF-16 columns, so that a change of the line endings moves nothing.

export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** Text that replaces what was in `range`. */
export interface Change {
  readonly range: Range;
  readonly text: string;
}

/**
 * The range after `changes`, each of which is about the document as the ones before it left it (or
 * lies before them: then the order makes no difference, as in VS Code's events). Text inserted
 * right at either edge stays outside. `undefined`: something inside was changed.
 */
export function moveRange(range: Range, changes: readonly Change[]): Range | undefined {
  let moved: Range = range;
  for (const change of changes) {
    if (isBefore(change.range.end, moved.start)) {
      moved = {
        start: movePosition(moved.start, change),
        end: movePosition(moved.end, change),
      };
    } else if (!isBefore(moved.end, change.range.start)) {
      return undefined;
    }
  }
  return moved;
}

/** Where the end of `text` lies once it stands at `start`. */
export function endOfText(start: Position, text: string): Position {
  const lines = text.split(/\r\n|\r|\n/);
  const last = lines[lines.length - 1] ?? "";
  return lines.length === 1
    ? { line: start.line, character: start.character + last.length }
    : { line: start.line + lines.length - 1, character: last.length };
}

/** `position`, which lies at or after the end of the change, once that is made. */
function movePosition(position: Position, change: Change): Position {
  const oldEnd = change.range.end;
  const newEnd = endOfText(change.range.start, change.text);
  if (position.line !== oldEnd.line) {
    return { line: position.line + newEnd.line - oldEnd.line, character: position.character };
  }
  return {
    line: newEnd.line,
    character: newEnd.character + position.character - oldEnd.character,
  };
}

/** Whether `first` lies before `second` or at the same place. */
function isBefore(first: Position, second: Position): boolean {
  return (
    first.line < second.line || (first.line === second.line && first.character <= second.character)
  );
}
