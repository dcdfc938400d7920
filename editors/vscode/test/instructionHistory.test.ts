// Instructions are kept newest first, each once, and no more than twenty.

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_INSTRUCTIONS, readHistory, withInstruction } from "../src/rewrite/instructionHistory";

test("the newest comes first and is kept once", () => {
  assert.deepEqual(withInstruction(["a", "b", "c"], " b "), ["b", "a", "c"]);
});

test("an empty instruction leaves the history alone", () => {
  assert.deepEqual(withInstruction(["a"], "  "), ["a"]);
});

test("the oldest is forgotten", () => {
  const full = Array.from({ length: MAX_INSTRUCTIONS }, (_, age) => `number ${age}`);
  const history = withInstruction(full, "new");
  assert.equal(history.length, MAX_INSTRUCTIONS);
  assert.equal(history[0], "new");
  assert.ok(!history.includes(`number ${MAX_INSTRUCTIONS - 1}`));
});

test("what was kept may be anything", () => {
  assert.deepEqual(readHistory(undefined), []);
  assert.deepEqual(readHistory({ 0: "a" }), []);
  assert.deepEqual(readHistory(["a", 3, "", " ", null, "b"]), ["a", "b"]);
});
