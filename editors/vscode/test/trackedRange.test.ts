// Where a selection is found again after edits around it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type Change, endOfText, moveRange, type Range } from "../src/rewrite/trackedRange";

const SELECTION = range(2, 4, 4, 6);

function range(line: number, character: number, endLine: number, endCharacter: number): Range {
  return { start: { line, character }, end: { line: endLine, character: endCharacter } };
}

function change(where: Range, text: string): Change {
  return { range: where, text };
}

/** What the edit does to a real text, to compare with what is said of the range. */
function edited(text: string, { range: where, text: added }: Change): string {
  return text.slice(0, offset(text, where.start)) + added + text.slice(offset(text, where.end));
}

function offset(text: string, { line, character }: Range["start"]): number {
  const before = text.split("\n").slice(0, line);
  return before.reduce((sum, one) => sum + one.length + 1, 0) + character;
}

function textIn(text: string, where: Range): string {
  return text.slice(offset(text, where.start), offset(text, where.end));
}

test("edits below leave it where it is", () => {
  assert.deepEqual(moveRange(SELECTION, [change(range(5, 0, 6, 0), "x\ny\nz")]), SELECTION);
});

test("lines added above move it down", () => {
  assert.deepEqual(moveRange(SELECTION, [change(range(0, 0, 0, 0), "a\nb\n")]), range(4, 4, 6, 6));
});

test("text on its first line moves only the columns of that line", () => {
  assert.deepEqual(moveRange(SELECTION, [change(range(2, 0, 2, 0), "  ")]), range(2, 6, 4, 6));
});

test("a selection within one line moves with both ends", () => {
  const moved = moveRange(range(2, 4, 2, 9), [change(range(1, 3, 2, 1), "x")]);
  assert.deepEqual(moved, range(1, 7, 1, 12));
});

test("text put in at either edge stays outside", () => {
  assert.deepEqual(moveRange(SELECTION, [change(range(2, 4, 2, 4), "ab")]), range(2, 6, 4, 6));
  assert.deepEqual(moveRange(SELECTION, [change(range(4, 6, 4, 6), "ab")]), SELECTION);
});

test("an edit inside, across an edge or over all of it is told", () => {
  for (const where of [
    range(3, 0, 3, 0),
    range(2, 3, 2, 5),
    range(4, 5, 4, 7),
    range(0, 0, 9, 0),
    SELECTION,
  ]) {
    assert.equal(moveRange(SELECTION, [change(where, "x")]), undefined, JSON.stringify(where));
  }
});

test("several changes count one after another", () => {
  // As VS Code reports them: the last place first, so that none moves another.
  const changes = [change(range(7, 0, 7, 1), ""), change(range(1, 0, 1, 0), "\n")];
  assert.deepEqual(moveRange(SELECTION, changes), range(3, 4, 5, 6));
});

test("what is selected stays the same text over hundreds of edits elsewhere", () => {
  let state = 7;
  const random = (below: number): number => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  let text = Array.from({ length: 12 }, (_, line) => `line ${line} = ${"x".repeat(line)}`).join("\n");
  let selection = range(5, 2, 7, 4);
  const wanted = textIn(text, selection);
  let numMoved = 0;
  for (let step = 0; step < 400; step++) {
    const lines = text.split("\n");
    const line = random(lines.length);
    const character = random((lines[line]?.length ?? 0) + 1);
    const edit = change(range(line, character, line, character), ["", "a", "\n", "b\nc"][random(4)] ?? "");
    const moved = moveRange(selection, [edit]);
    if (moved) {
      text = edited(text, edit);
      selection = moved;
      numMoved += 1;
      assert.equal(textIn(text, selection), wanted);
    }
  }
  assert.ok(numMoved > 100);
});

test("the end of a text is found with every line ending", () => {
  assert.deepEqual(endOfText({ line: 3, character: 2 }, "ab"), { line: 3, character: 4 });
  assert.deepEqual(endOfText({ line: 3, character: 2 }, "ab\r\nc\nd\r"), { line: 6, character: 0 });
});
