// Which Python the server is installed with, and what is said where there is none.

import assert from "node:assert/strict";
import { test } from "node:test";

import { choosePython, pythonProblem, type RunProgram } from "../src/server/python";

/** A machine on which these programs are Pythons of these versions. */
function machine(versions: Record<string, string>, hasVenv = true): RunProgram {
  return async ([program]) => {
    const version = versions[program];
    return version && `${version}\n/usr/bin/${program}\n${hasVenv ? "yes" : "no"}\n`;
  };
}

async function problem(setting: string, run: RunProgram): Promise<string> {
  const choice = await choosePython(setting, "linux", run);
  assert.notEqual(choice.kind, "found");
  return choice.kind === "found" ? "" : pythonProblem(choice);
}

test("the newest allowed comes first, by its own path", async () => {
  const run = machine({ "python3.12": "3.12.4", python3: "3.14.0", "python3.11": "3.11.2" });
  assert.deepEqual(await choosePython("", "linux", run), {
    kind: "found",
    python: { command: ["/usr/bin/python3.12"], version: "3.12.4", hasVenv: true },
  });
});

test("only the setting counts where it is set", async () => {
  const run = machine({ "python3.12": "3.12.4", "/my/python": "3.9.1" });
  assert.match(await problem("/my/python", run), /Python 3\.9\.1 .*3\.11 to 3\.13/);
  assert.match(await problem("/gone", run), /\/gone, which the setting infill\.server\.python/);
});

test("each way to have no Python has its sentence", async () => {
  assert.match(await problem("", machine({})), /^No Python was found\. Install Python 3\.11 to 3\.13/);
  const both = { python3: "3.14.0", python: "2.7.18" };
  assert.match(await problem("", machine(both)), /3\.14\.0, 2\.7\.18 was found/);
  assert.match(await problem("", machine({ python3: "3.13.1" }, false)), /no venv module/);
});

test("a program that prints something else is no Python", async () => {
  assert.match(await problem("", async () => "Microsoft Store\n"), /^No Python/);
});
