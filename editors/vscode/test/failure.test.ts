// What the user is told of a failed request.

import assert from "node:assert/strict";
import { test } from "node:test";

import { failureText } from "../src/rewrite/failure";

/** As the client's library throws them. */
function failed(code: unknown, message: string): Error {
  return Object.assign(new Error(message), { code });
}

test("the server's own words are passed on", () => {
  assert.equal(failureText(failed(-32600, "The selection is too long.")), "The selection is too long.");
});

test("a connection that broke off is put in words for users", () => {
  for (const code of [-32097, -32096, -32099]) {
    assert.match(failureText(failed(code, "Pending response rejected")), /server ended/);
  }
});

test("whatever else is thrown is said as it is", () => {
  assert.equal(failureText(new Error("No server.")), "No server.");
  assert.equal(failureText(failed("ENOENT", "No file.")), "No file.");
  assert.equal(failureText("odd"), "odd");
});
