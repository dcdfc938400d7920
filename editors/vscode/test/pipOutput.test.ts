// What pip printed, as recorded from pip 24 and 25, in words for a user.

import assert from "node:assert/strict";
import { test } from "node:test";

import { problemOf, progressOf } from "../src/server/pipOutput";

test("progress names what a person knows", () => {
  const line = "  Downloading torch-2.11.0-cp312-cp312-manylinux_2_28_x86_64.whl (180.2 MB)";
  assert.equal(progressOf(line), "downloading torch (180.2 MB)");
  assert.equal(progressOf("Collecting pygls<3,>=2.1"), "looking for pygls");
  assert.equal(progressOf("Processing /home/u/infill_ls-0.1.0-py3-none-any.whl"), "looking for infill_ls");
  assert.equal(progressOf("Installing collected packages: a, b"), "installing what was downloaded");
  assert.equal(progressOf("  Using cached x.whl"), undefined);
});

test("no network is told from a package that does not exist", () => {
  const offline =
    "WARNING: Retrying (Retry(total=0, ...)) after connection broken by 'NewConnectionError(" +
    "'<HTTPSConnection>: Failed to establish a new connection: [Errno -3] Temporary failure in " +
    "name resolution')': /simple/infill-ls/\n" +
    "ERROR: Could not find a version that satisfies the requirement infill-ls (from versions: none)\n" +
    "ERROR: No matching distribution found for infill-ls\n";
  assert.match(problemOf(offline, "infill-ls"), /no connection to the package index/);
  const unknown = offline.split("\n").slice(1).join("\n");
  assert.match(problemOf(unknown, "infill-ls"), /pip found no package infill-ls\./);
});

test("a full disk, a wrong path and a wrong Python have their sentences", () => {
  const full = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n";
  assert.match(problemOf(full, "x"), /^The disk is full/);
  const path =
    "WARNING: Requirement 'x.whl' looks like a filename, but the file does not exist\n" +
    "ERROR: x.whl is not a valid wheel filename.\n";
  assert.match(problemOf(path, "x.whl"), /nothing that pip can install/);
  const python =
    "ERROR: Ignored the following versions that require a different python version: 0.1.0 Requires-Python >=3.11\n" +
    "ERROR: No matching distribution found for infill-ls\n";
  assert.match(problemOf(python, "infill-ls"), /other versions of Python only/);
});

test("what is not known is quoted", () => {
  assert.equal(problemOf("ERROR: something odd\n", "x"), "pip failed: something odd");
  assert.equal(problemOf("Killed\n", "x"), "pip failed. The log says why.");
});
