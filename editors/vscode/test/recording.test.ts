// What is kept of a request while it is denoised, and what is counted in it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { recordingAsText } from "../src/denoising/asText";
import { changedTokens, figuresOf, levelOf, summaryOf } from "../src/denoising/figures";
import { Recorder, type Recording, tokensOf } from "../src/denoising/recording";
import type { RewritePreview, StreamUpdate } from "../src/protocol";

function update(token: string, sequence: number, text: string, more?: Partial<StreamUpdate>): StreamUpdate {
  return {
    token,
    sequence,
    version: 1,
    step: sequence,
    accepted: 2,
    text,
    settledLength: 0,
    confidence: [],
    tokenLengths: [],
    stable: "",
    done: false,
    ...more,
  };
}

function preview(uri: string, sequence: number, text: string, done = false): RewritePreview {
  const place = { line: 0, character: 0 };
  const range = { start: place, end: place };
  return { uri, version: 1, range, sequence, text, settledLength: 1, done };
}

function recorded(...updates: StreamUpdate[]): Recording {
  const recorder = new Recorder();
  updates.forEach((one, idx) => recorder.addUpdate(one, 100 + 10 * idx));
  assert.ok(recorder.recording);
  return recorder.recording;
}

test("a canvas is cut into what its positions spell", () => {
  const tokens = tokensOf({
    text: "return path",
    settledLength: 7,
    confidence: [0.9, 0.5, 0.1, 0.2],
    tokenLengths: [6, 1, 0, 4],
  });
  assert.deepEqual(tokens, [
    { text: "return", confidence: 0.9, isSettled: true },
    { text: " ", confidence: 0.5, isSettled: true },
    { text: "path", confidence: 0.2, isSettled: false },
  ]);
});

test("text before the canvas comes first, and nobody says how sure it is", () => {
  const tokens = tokensOf({ text: "old new", settledLength: 4, confidence: [1], tokenLengths: [3] });
  assert.deepEqual(tokens, [
    { text: "old ", confidence: null, isSettled: true },
    { text: "new", confidence: 1, isSettled: false },
  ]);
});

test("without lengths the settled part is told from the rest", () => {
  assert.deepEqual(tokensOf({ text: "abcd", settledLength: 1 }), [
    { text: "a", confidence: null, isSettled: true },
    { text: "bcd", confidence: null, isSettled: false },
  ]);
});

test("steps add up until the end, and a new request forgets them", () => {
  const recorder = new Recorder();
  assert.equal(recorder.addUpdate(update("a", 0, "x"), 100)?.type, "begin");
  assert.equal(recorder.addUpdate(update("a", 1, "xy"), 130)?.type, "step");
  const last = update("a", 2, "xyz", { done: true, stable: "xyz" });
  assert.equal(recorder.addUpdate(last, 140)?.type, "ending");
  assert.equal(recorder.recording?.steps.length, 2);
  assert.equal(recorder.recording?.steps[1]?.sinceBeginMs, 30);
  assert.equal(recorder.recording?.ending?.text, "xyz");
  recorder.addUpdate(update("b", 0, "new"), 200);
  assert.equal(recorder.recording?.steps.length, 1);
  assert.equal(recorder.recording?.ending, null);
});

test("what comes for an older request changes nothing", () => {
  const recorder = new Recorder();
  recorder.addUpdate(update("a", 0, "x"), 0);
  recorder.addUpdate(update("b", 0, "y"), 1);
  assert.equal(recorder.addUpdate(update("a", 1, "", { done: true }), 2), undefined);
  assert.equal(recorder.recording?.ending, null);
});

test("an answer without steps is kept, one without text is not", () => {
  const recorder = new Recorder();
  const nothing = update("a", 0, "", { done: true, message: "Excluded." });
  assert.equal(recorder.addUpdate(nothing, 0), undefined);
  const draft = update("b", 0, "x", { done: true, stable: "x" });
  assert.equal(recorder.addUpdate(draft, 0)?.type, "begin");
  assert.ok(recorder.recording);
  assert.match(summaryOf(recorder.recording, -1), /without denoising/);
});

test("while it does not follow, the recording stays as it is", () => {
  const recorder = new Recorder();
  recorder.addUpdate(update("a", 0, "x"), 0);
  recorder.isFollowing = false;
  assert.equal(recorder.addUpdate(update("b", 0, "y"), 1), undefined);
  assert.equal(recorder.addUpdate(update("c", 0, "z", { done: true, stable: "z" }), 2), undefined);
  assert.equal(recorder.recording?.steps[0]?.tokens[0]?.text, "x");
  assert.equal(recorder.addUpdate(update("a", 1, "xy"), 3)?.type, "step");
});

test("a second rewrite of a document is another recording", () => {
  const recorder = new Recorder();
  assert.equal(recorder.addPreview(preview("a", 0, "x"), 0)?.type, "begin");
  assert.equal(recorder.addPreview(preview("a", 1, "xy"), 0)?.type, "step");
  assert.equal(recorder.addPreview(preview("a", 2, "xy", true), 0)?.type, "ending");
  assert.equal(recorder.addPreview(preview("a", 0, "z"), 0)?.type, "begin");
  recorder.isFollowing = false;
  assert.equal(recorder.addPreview(preview("a", 0, "other"), 0), undefined);
  assert.equal(recorder.recording?.steps.length, 1);
});

test("figures count what settled and what changed", () => {
  const canvas = { tokenLengths: [2, 2], confidence: [0.5, 0.25] };
  const recording = recorded(
    update("a", 0, "abcd", canvas),
    update("a", 1, "abxy", { ...canvas, settledLength: 2 }),
  );
  assert.deepEqual([...changedTokens(recording, 1)], [1]);
  assert.deepEqual(figuresOf(recording, 1), {
    numTokens: 2,
    numSettled: 1,
    numChanged: 1,
    meanConfidence: 0.375,
  });
  assert.equal(
    summaryOf(recording, 1),
    "Step 2 of 2 · 10 ms after the first · 2 accepted · 1 of 2 tokens settled · 1 changed · mean confidence 0.38",
  );
});

test("confidence has five levels, or none", () => {
  const levels = [0, 0.2, 0.59, 0.99, 1, null].map((confidence) =>
    levelOf({ text: "x", confidence, isSettled: false }),
  );
  assert.deepEqual(levels, [0, 1, 2, 4, 4, null]);
});

test("as text it holds every step, its tokens and the end", () => {
  const canvas = { tokenLengths: [1, 1], confidence: [0.5, 1], settledLength: 1, stable: "a" };
  const recording = recorded(
    update("a", 0, "a\n", canvas),
    update("a", 1, "", { done: true, stable: "", message: "Nothing sure enough." }),
  );
  assert.equal(
    recordingAsText(recording),
    `infill-ls denoising, suggestion, 1 steps

Step 1 of 1 · 0 ms after the first · 2 accepted · 1 of 2 tokens settled · 0 changed · mean confidence 0.75
text    "a\\n"
shown   "a"
tokens  "a" 0.50 settled, "\\n" 1.00

offered ""
because Nothing sure enough.
`,
  );
});
