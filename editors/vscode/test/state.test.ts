// What the status shows of server, engine and document.

import assert from "node:assert/strict";
import { test } from "node:test";

import { StateKeeper } from "../src/server/state";

const READY = { state: "ready", message: "Ready." } as const;

test("withheld holds for the document that was looked at, and comes back with it", () => {
  const keeper = new StateKeeper();
  keeper.onStatus(READY);
  keeper.lookAt("file:///.env");
  keeper.onStatus({ state: "withheld", message: "Excluded." });
  assert.equal(keeper.current.state, "withheld");
  keeper.lookAt("file:///a.py");
  assert.equal(keeper.current.state, "ready");
  keeper.lookAt("file:///.env");
  assert.equal(keeper.current.message, "Excluded.");
  keeper.forgetWithheld();
  assert.equal(keeper.current.state, "ready");
});

test("what is wrong with the engine is shown before what a document withholds", () => {
  const keeper = new StateKeeper();
  keeper.lookAt("file:///.env");
  keeper.onStatus({ state: "withheld", message: "Excluded." });
  keeper.onStatus({ state: "unavailable", message: "No model." });
  assert.deepEqual(keeper.current, { state: "error", message: "No model.", percent: null });
});

test("starting has its share", () => {
  const keeper = new StateKeeper();
  keeper.onStatus({ state: "starting", message: "Loading.", percent: 40 });
  assert.equal(keeper.current.percent, 40);
});
