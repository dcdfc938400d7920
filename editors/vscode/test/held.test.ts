// When the editor is given an answer.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HeldAnswer, isWorthShowing } from "../src/ghostText/held";

class Clock {
  private pending: (() => void) | undefined;
  setTimeout(callback: () => void): number {
    this.pending = callback;
    return 1;
  }
  clearTimeout(): void {
    this.pending = undefined;
  }
  ring(): void {
    this.pending?.();
  }
}

/** What a held answer is by the time that all pending work is done. */
async function outcome(held: HeldAnswer): Promise<boolean | "held"> {
  return Promise.race([
    held.released,
    new Promise<"held">((resolve) => setImmediate(() => resolve("held"))),
  ]);
}

test("a beginning is held until it is overdue and worth showing", async () => {
  const clock = new Clock();
  const held = new HeldAnswer(350, clock);
  held.grow("return x\n", false);
  assert.equal(await outcome(held), "held");
  clock.ring();
  assert.equal(await outcome(held), true);
});

test("overdue, a few characters are still held", async () => {
  const clock = new Clock();
  const held = new HeldAnswer(350, clock);
  clock.ring();
  held.grow("ret", false);
  assert.equal(await outcome(held), "held");
  held.grow("return self", false);
  assert.equal(await outcome(held), true);
});

test("the last word is given at once, nothing at all too", async () => {
  const held = new HeldAnswer(350, new Clock());
  held.grow("", true);
  assert.equal(await outcome(held), true);
});

test("an editor that does not wait any more gets nothing, whatever comes after", async () => {
  const held = new HeldAnswer(350, new Clock());
  held.withdraw();
  held.grow("return", true);
  assert.equal(await outcome(held), false);
});

test("a whole line or eight characters are worth it, white space is not", () => {
  assert.ok(isWorthShowing("x\ny"));
  assert.ok(isWorthShowing("return x"));
  assert.ok(!isWorthShowing("return"));
  assert.ok(!isWorthShowing("\n          "));
});
