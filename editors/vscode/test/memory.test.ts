// Which of a document's suggestions answers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SuggestionMemory } from "../src/ghostText/memory";
import { Suggestion } from "../src/ghostText/shown";

const URI = "file:///a.py";

function suggested(text: string, offset: number, isInvoked = false): Suggestion {
  const suggestion = new Suggestion({ uri: URI, version: 1, offset, lineBefore: "" }, isInvoked);
  suggestion.extend(text);
  suggestion.finish();
  return suggestion;
}

test("the newest that goes on at the cursor answers", () => {
  const memory = new SuggestionMemory(() => undefined);
  memory.add(suggested("old", 0));
  memory.add(suggested("new", 0));
  memory.add(suggested("elsewhere", 9));
  assert.equal(memory.find(URI, 1, 0, false)?.rest.text, "new");
  assert.equal(memory.find("file:///b.py", 1, 0, false), undefined);
});

test("asking by hand is answered by what was asked for by hand only", () => {
  const memory = new SuggestionMemory(() => undefined);
  memory.add(suggested("sure", 0));
  assert.equal(memory.find(URI, 1, 0, true), undefined);
  memory.add(suggested("all", 0, true));
  assert.equal(memory.find(URI, 1, 0, true)?.rest.text, "all");
});

test("all typed and nothing to come: asked anew; more to come: waited for", () => {
  const memory = new SuggestionMemory(() => undefined);
  memory.add(suggested("ab", 0));
  const growing = new Suggestion({ uri: URI, version: 1, offset: 0, lineBefore: "" }, false);
  growing.extend("ab");
  const typed = [{ rangeOffset: 0, rangeLength: 0, text: "ab" }];
  memory.change(URI, 2, typed);
  assert.equal(memory.find(URI, 2, 2, false), undefined);
  const other = new SuggestionMemory(() => undefined);
  other.add(growing);
  other.change(URI, 2, typed);
  assert.equal(other.find(URI, 2, 2, false)?.suggestion, growing);
});

test("what a change ends is dropped once, and so is the oldest of too many", () => {
  const dropped: Suggestion[] = [];
  const memory = new SuggestionMemory((suggestion) => dropped.push(suggestion));
  const five = ["a", "b", "c", "d", "e"].map((text) => suggested(text, 5));
  five.forEach((suggestion) => memory.add(suggestion));
  assert.deepEqual(dropped, [five[0]]);
  memory.change(URI, 2, [{ rangeOffset: 0, rangeLength: 1, text: "" }]);
  assert.equal(dropped.length, 5);
  memory.clear();
  assert.equal(dropped.length, 5);
});

test("a word taken of what was shown is told, of what was not shown it is not", () => {
  const word = [{ rangeOffset: 0, rangeLength: 0, text: "foo" }];
  for (const wasShown of [true, false]) {
    const memory = new SuggestionMemory(() => undefined);
    const suggestion = suggested("foo bar", 0);
    suggestion.wasShown = wasShown;
    memory.add(suggestion);
    assert.equal(memory.change(URI, 2, word), wasShown ? 3 : 0);
  }
});
