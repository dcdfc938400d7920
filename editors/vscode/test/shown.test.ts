// What is left of a suggestion while its document changes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Suggestion } from "../src/ghostText/shown";

/** A suggestion at the end of "  x = ", the first line of its document. */
function suggested(text: string, isFinished = true): Suggestion {
  const place = { uri: "file:///a.py", version: 1, offset: 6, lineBefore: "  x = " };
  const suggestion = new Suggestion(place, false);
  suggestion.extend(text);
  if (isFinished) {
    suggestion.finish();
  }
  return suggestion;
}

test("typing what is suggested leaves the rest", () => {
  const suggestion = suggested("foo(a)\nbar");
  assert.ok(suggestion.follow(2, [{ rangeOffset: 6, rangeLength: 0, text: "fo" }]));
  assert.deepEqual(suggestion.restAt(2, 8), { text: "o(a)\nbar", numReplacedAfter: 0 });
  assert.equal(suggestion.restAt(1, 8), undefined, "of another version");
  assert.equal(suggestion.restAt(2, 20), undefined, "the cursor is elsewhere");
});

test("a wrong key hides it and the correction brings it back", () => {
  const suggestion = suggested("foo");
  assert.ok(suggestion.follow(2, [{ rangeOffset: 6, rangeLength: 0, text: "g" }]));
  assert.equal(suggestion.restAt(2, 7), undefined);
  assert.ok(suggestion.follow(3, [{ rangeOffset: 6, rangeLength: 1, text: "" }]));
  assert.equal(suggestion.restAt(3, 6)?.text, "foo");
});

test("a change elsewhere ends it, a missed version too", () => {
  assert.ok(!suggested("foo").follow(2, [{ rangeOffset: 40, rangeLength: 1, text: "y" }]));
  assert.ok(!suggested("foo").follow(2, [{ rangeOffset: 0, rangeLength: 1, text: "" }]));
  assert.ok(!suggested("foo").follow(1, [{ rangeOffset: 6, rangeLength: 0, text: "f" }]));
});

test("brackets that the editor closed are replaced by those of the suggestion", () => {
  const suggestion = suggested("foo(a)");
  assert.ok(suggestion.follow(2, [{ rangeOffset: 6, rangeLength: 0, text: "foo" }]));
  assert.ok(suggestion.follow(3, [{ rangeOffset: 9, rangeLength: 0, text: "()" }]));
  assert.deepEqual(suggestion.restAt(3, 10), { text: "a)", numReplacedAfter: 1 });
});

test("brackets that it does not hold end it", () => {
  const suggestion = suggested("foo(a");
  assert.ok(suggestion.follow(2, [{ rangeOffset: 6, rangeLength: 0, text: "foo" }]));
  assert.ok(suggestion.follow(3, [{ rangeOffset: 9, rangeLength: 0, text: "()" }]));
  assert.equal(suggestion.restAt(3, 10), undefined);
});

test("accepting replaces the line from its start", () => {
  const suggestion = suggested("foo bar", false);
  const accepted = { rangeOffset: 0, rangeLength: 6, text: "  x = foo bar" };
  assert.ok(suggestion.follow(2, [accepted]));
  assert.equal(suggestion.restAt(2, 13)?.text, "");
  suggestion.extend("foo bar baz");
  assert.equal(suggestion.restAt(2, 13)?.text, " baz");
});

test("a replacement that changes what stood before the cursor ends it", () => {
  const other = { rangeOffset: 0, rangeLength: 6, text: "  y = foo" };
  assert.ok(!suggested("foo").follow(2, [other]));
});

test("a word taken at once is an acceptance of a part, a key or all of it is not", () => {
  const at = (text: string) => [{ rangeOffset: 6, rangeLength: 0, text }];
  assert.equal(suggested("foo bar").lengthAcceptedBy(at("foo")), 3);
  assert.equal(suggested("foo bar").lengthAcceptedBy(at("f")), 0);
  assert.equal(suggested("foo bar").lengthAcceptedBy(at("foo bar")), 0);
  assert.equal(suggested("foo bar").lengthAcceptedBy(at("goo")), 0);
  assert.equal(suggested("() bar").lengthAcceptedBy(at("()")), 0, "a pair of brackets is typing");
});

test("only ever extended, and nothing after the last word", () => {
  const suggestion = suggested("foo", false);
  let numTold = 0;
  const end = suggestion.onGrow(() => numTold++);
  suggestion.extend("fo");
  suggestion.extend("bar baz");
  assert.equal(suggestion.text, "foo");
  suggestion.extend("foo\r\nbar");
  assert.equal(suggestion.text, "foo\nbar");
  suggestion.finish("something else");
  suggestion.extend("foo\nbar and more");
  assert.equal(suggestion.text, "foo\nbar");
  assert.equal(numTold, 2);
  end();
  assert.equal(suggestion.numWaiting, 0);
});

test("CRLF in the document agrees with LF in the suggestion", () => {
  const suggestion = suggested("a\nb");
  assert.ok(suggestion.follow(2, [{ rangeOffset: 6, rangeLength: 0, text: "a\r\n" }]));
  assert.equal(suggestion.restAt(2, 9)?.text, "b");
});
