// The newest value is shown, at once or when the interval is over.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Throttle, type Timers } from "../src/rewrite/throttle";

class FakeTimers implements Timers {
  nowMs = 1000;
  private waiting: { atMs: number; run: () => void }[] = [];

  now(): number {
    return this.nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.waiting.push(timer);
    return () => {
      this.waiting = this.waiting.filter((one) => one !== timer);
    };
  }

  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.waiting.filter((timer) => timer.atMs <= this.nowMs);
    this.waiting = this.waiting.filter((timer) => timer.atMs > this.nowMs);
    for (const timer of due) {
      timer.run();
    }
  }
}

function throttle(): { shown: number[]; timers: FakeTimers; values: Throttle<number> } {
  const shown: number[] = [];
  const timers = new FakeTimers();
  return { shown, timers, values: new Throttle(100, (value) => shown.push(value), timers) };
}

test("the first is shown at once, of those after it the newest", () => {
  const { shown, timers, values } = throttle();
  for (const value of [1, 2, 3]) {
    values.push(value);
  }
  assert.deepEqual(shown, [1]);
  timers.pass(99);
  assert.deepEqual(shown, [1]);
  timers.pass(1);
  assert.deepEqual(shown, [1, 3]);
  timers.pass(1000);
  assert.deepEqual(shown, [1, 3]);
});

test("a flush shows what waits, and nothing twice", () => {
  const { shown, timers, values } = throttle();
  values.push(1);
  values.push(2);
  values.flush();
  values.flush();
  timers.pass(1000);
  assert.deepEqual(shown, [1, 2]);
});

test("what is cancelled is never shown", () => {
  const { shown, timers, values } = throttle();
  values.push(1);
  values.push(2);
  values.cancel();
  timers.pass(1000);
  assert.deepEqual(shown, [1]);
  values.push(3);
  assert.deepEqual(shown, [1, 3]);
});
