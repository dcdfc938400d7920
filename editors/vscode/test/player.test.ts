// Which step is looked at.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Player } from "../src/denoising/player";

function opened(numSteps: number): Player {
  const player = new Player();
  player.open(numSteps);
  return player;
}

test("who looks at the newest goes on doing so", () => {
  const player = opened(2);
  player.grow();
  assert.equal(player.stepIdx, 2);
});

test("who went back stays there while steps come", () => {
  const player = opened(5);
  player.seek(1);
  player.grow();
  assert.equal(player.stepIdx, 1);
});

test("playing from the last begins anew and stops at the end", () => {
  const player = opened(3);
  player.togglePlaying();
  const seen = [player.stepIdx];
  while (player.isPlaying) {
    player.tick();
    seen.push(player.stepIdx);
  }
  assert.deepEqual(seen, [0, 1, 2]);
});

test("choosing a step stops playing, and stays in range", () => {
  const player = opened(3);
  player.togglePlaying();
  player.seek(9);
  assert.equal(player.stepIdx, 2);
  assert.equal(player.isPlaying, false);
  player.seek(-4);
  assert.equal(player.stepIdx, 0);
});

test("without a step there is nothing to play", () => {
  const player = opened(0);
  player.togglePlaying();
  assert.equal(player.isPlaying, false);
  assert.equal(player.stepIdx, -1);
  player.seek(3);
  assert.equal(player.stepIdx, -1);
  player.grow();
  assert.equal(player.stepIdx, 0);
});

test("a single step is not played", () => {
  const player = opened(1);
  player.togglePlaying();
  assert.equal(player.isPlaying, false);
});
