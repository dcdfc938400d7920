// How an old and a new text differ, line by line.

import assert from "node:assert/strict";
import { test } from "node:test";

import { type DiffLine, diffLines, foldLongRuns } from "../src/rewrite/lineDiff";

/** As a unified diff writes them. */
function written(lines: readonly DiffLine[]): string[] {
  const signs = { same: " ", removed: "-", added: "+" };
  return lines.map(({ kind, parts }) => signs[kind] + parts.map((part) => part.text).join(""));
}

test("what is removed comes before what replaces it", () => {
  const lines = diffLines("a\nold\nold too\nz", "a\nnew\nz");
  assert.deepEqual(written(lines), [" a", "-old", "-old too", "+new", " z"]);
});

test("lines only added or only removed", () => {
  assert.deepEqual(written(diffLines("a\nz", "a\nb\nz")), [" a", "+b", " z"]);
  assert.deepEqual(written(diffLines("a\nb\nz", "a\nz")), [" a", "-b", " z"]);
});

test("line endings make no difference, an ending at the end does", () => {
  assert.deepEqual(written(diffLines("a\r\nb", "a\nb")), [" a", " b"]);
  assert.deepEqual(written(diffLines("a", "a\n")), [" a", "+"]);
});

test("words that changed are told from those that stayed", () => {
  const [removed, added] = diffLines("    return first + 1", "    return second + 1");
  assert.deepEqual(removed?.parts.filter((part) => part.isChanged).map((part) => part.text), ["first"]);
  assert.deepEqual(added?.parts.filter((part) => part.isChanged).map((part) => part.text), ["second"]);
});

test("lines with nothing in common are not picked apart", () => {
  for (const line of diffLines("    result = 0", "    raise ValueError(name)")) {
    assert.deepEqual(line.parts.map((part) => part.isChanged), [false]);
  }
});

test("both texts can be read from the diff", () => {
  const texts = ["", "\n", "a\nb\nc", "b\nc\na", "a b c\n", "\ta\n\n\nb", "x\ny", "a\nx\nc\nd"];
  for (const oldText of texts) {
    for (const newText of texts) {
      const lines = diffLines(oldText, newText);
      const read = (kind: DiffLine["kind"]): string =>
        written(lines.filter((line) => line.kind === "same" || line.kind === kind))
          .map((line) => line.slice(1))
          .join("\n");
      assert.equal(read("removed"), oldText);
      assert.equal(read("added"), newText);
    }
  }
});

test("what is far from a change is folded, and counted", () => {
  const numbers = Array.from({ length: 20 }, (_, line) => `line ${line}`);
  const changed = numbers.map((line, line_idx) => (line_idx === 10 ? "new" : line));
  const lines = diffLines(numbers.join("\n"), changed.join("\n"));
  const folded = foldLongRuns(lines, 2);
  assert.deepEqual(
    folded.map((line) => (line.kind === "fold" ? line.numLines : line.kind)),
    [8, "same", "same", "removed", "added", "same", "same", 7],
  );
});

test("a single line is not folded", () => {
  const folded = foldLongRuns(diffLines("a\nb\nc\nold", "a\nb\nc\nnew"), 2);
  assert.deepEqual(folded.map((line) => line.kind), ["same", "same", "same", "removed", "added"]);
});

test("of many lines removed the first and last are shown, of lines added all", () => {
  const many = Array.from({ length: 9 }, (_, line) => `line ${line}`).join("\n");
  const shown = (oldText: string, newText: string): unknown[] =>
    foldLongRuns(diffLines(oldText, newText), 2).map((line) =>
      line.kind === "fold" ? `${line.numLines} ${line.of}` : line.kind,
    );
  assert.deepEqual(shown(many, "new"), ["removed", "removed", "5 removed", "removed", "removed", "added"]);
  assert.deepEqual(shown("old", many), ["removed", ...Array.from({ length: 9 }, () => "added")]);
});
