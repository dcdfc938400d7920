// When a server that keeps ending is started again, and when the user is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BackOff } from "../src/server/backOff";

test("waits double from half a second to a minute", () => {
  const backOff = new BackOff();
  const delays = Array.from({ length: 10 }, (_, idx) => backOff.onEnd(idx, 0).delayMs);
  assert.deepEqual(delays.slice(0, 4), [500, 1000, 2000, 4000]);
  assert.deepEqual(delays.slice(-2), [60_000, 60_000]);
});

test("the third end within a minute is a loop, and it is news once", () => {
  const backOff = new BackOff();
  const advice = [0, 1000, 2000, 3000, 90_000].map((nowMs) => backOff.onEnd(nowMs, 100));
  assert.deepEqual(
    advice.map(({ isLoop }) => isLoop),
    [false, false, true, true, true],
  );
  assert.deepEqual(
    advice.map(({ isNews }) => isNews),
    [false, false, true, false, false],
  );
});

test("a server that ran for long is well again", () => {
  const backOff = new BackOff();
  [0, 1, 2].forEach((nowMs) => backOff.onEnd(nowMs, 0));
  assert.deepEqual(backOff.onEnd(200_000, 100_000), {
    delayMs: 500,
    isLoop: false,
    isNews: false,
  });
});

test("ends an hour apart are no loop", () => {
  const backOff = new BackOff();
  const hourMs = 3_600_000;
  assert.ok(![0, 1, 2, 3].some((idx) => backOff.onEnd(idx * hourMs, hourMs).isLoop));
});

test("it is known for a loop until it has been well for a minute, or is started by hand", () => {
  const backOff = new BackOff();
  [0, 1].forEach((nowMs) => backOff.onEnd(nowMs, 0));
  assert.equal(backOff.isLoop, false);
  backOff.onEnd(2, 0);
  assert.equal(backOff.isLoop, true);
  backOff.onEnd(100_000, 70_000);
  assert.equal(backOff.isLoop, false);
  [100_001, 100_002].forEach((nowMs) => backOff.onEnd(nowMs, 0));
  assert.equal(backOff.isLoop, true);
  backOff.forget();
  assert.equal(backOff.isLoop, false);
});
