// The life of a rewrite, from previews to an answer.

import assert from "node:assert/strict";
import { test } from "node:test";

import type { RewritePreview } from "../src/protocol";
import { answered, BEGUN, previewed } from "../src/rewrite/rewriteState";

function preview(sequence: number, text: string, settledLength = 0, done = false): RewritePreview {
  const place = { line: 0, character: 0 };
  const range = { start: place, end: place };
  return { uri: "file:///a.py", version: 1, range, sequence, text, settledLength, done };
}

test("every preview is a step", () => {
  const first = previewed(BEGUN, preview(0, "retur"));
  const second = previewed(first, preview(1, "return", 4));
  assert.deepEqual(second, { phase: "running", text: "return", settledLength: 4, numSteps: 2 });
});

test("a preview of a rewrite that was ended changes nothing", () => {
  const state = previewed(BEGUN, preview(0, "return"));
  assert.equal(previewed(state, preview(5, "other")), state);
  assert.equal(previewed(state, preview(0, "other")), state);
});

test("the last preview and any after the answer change nothing", () => {
  const state = previewed(BEGUN, preview(0, "return"));
  assert.equal(previewed(state, preview(1, "", 0, true)), state);
  const offered = answered("old", { applied: false, text: "new" });
  assert.equal(previewed(offered, preview(0, "late")), offered);
});

test("a text is offered with its note", () => {
  const answer = { applied: false, text: "new", note: "Filled anew." };
  assert.deepEqual(answered("old", answer), { phase: "offered", text: "new", note: "Filled anew." });
});

test("without a text the server's reason is given, or that there is none", () => {
  const reasonOf = (answer: Parameters<typeof answered>[1]): string => {
    const state = answered("old", answer);
    assert.equal(state.phase, "nothing");
    return state.phase === "nothing" ? state.reason : "";
  };
  assert.equal(reasonOf({ applied: false, reason: "Nothing came." }), "Nothing came.");
  assert.match(reasonOf(null), /no reason/);
  assert.match(reasonOf({ applied: false, text: "" }), /no reason/);
  assert.match(reasonOf({ applied: false, text: "old" }), /as it is/);
});

test("empty lines at the end are left out where the selection has none", () => {
  const textOf = (oldText: string, text: string): string => {
    const state = answered(oldText, { applied: false, text });
    return state.phase === "offered" ? state.text : state.phase;
  };
  assert.equal(textOf("old", "new\r\n  \n\t"), "new");
  assert.equal(textOf("old\n", "new\n"), "new\n");
  assert.equal(textOf("old", "a\n\nb  "), "a\n\nb  ");
  assert.equal(textOf("old", "old\n"), "nothing");
  assert.equal(textOf("a\r\nb", "a\nb"), "nothing");
});
