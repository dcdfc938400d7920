// A real install, with the Python and the pip of this machine and packages made here: no network.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";

import { runInfill } from "../src/server/commandLine";
import { findServer } from "../src/server/find";
import {
  InstallCancelled,
  InstallError,
  type InstallOrder,
  installServer,
  removeServer,
} from "../src/server/install";
import { choosePython } from "../src/server/python";
import { leaveNote, removeNoted } from "../src/server/uninstall";

const root = mkdtempSync(path.join(tmpdir(), "infill install "));
after(() => rmSync(root, { recursive: true, force: true }));
let python = "";
before(async () => {
  const choice = await choosePython("");
  assert.ok(choice.kind === "found", "these tests need a Python of an allowed version");
  [python] = choice.python.command;
});

function order(requirement: string, name: string): InstallOrder {
  const folder = path.join(root, name, "server");
  return { folder, python, requirement, pipArguments: ["--no-index"] };
}

function watch(signal = new AbortController().signal) {
  const reports: string[] = [];
  return { reports, report: (words: string) => reports.push(words), log: () => undefined, signal };
}

/** A wheel whose infill_cli prints `said`, and fails if that is empty. */
function wheel(version: string, said: string): string {
  const content = path.join(root, `content-${version}`);
  const info = path.join(content, `infill_ls-${version}.dist-info`);
  mkdirSync(path.join(content, "infill_cli"), { recursive: true });
  mkdirSync(info);
  const main = said === "" ? "raise SystemExit(3)" : `import sys; print("${said}", *sys.argv[1:])`;
  writeFileSync(path.join(content, "infill_cli", "__main__.py"), main);
  writeFileSync(path.join(info, "METADATA"), `Metadata-Version: 2.1\nName: infill-ls\nVersion: ${version}\n`);
  writeFileSync(path.join(info, "WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
  writeFileSync(path.join(info, "RECORD"), "");
  const file = path.join(root, `infill_ls-${version}-py3-none-any.whl`);
  const parts = ["infill_cli", path.basename(info)];
  execFileSync(python, ["-m", "zipfile", "-c", file, ...parts], { cwd: content });
  return file;
}

test("a wheel is installed in place of what was there, found, run and removed", async () => {
  const first = order(wheel("0.0.1", "first"), "whole");
  mkdirSync(first.folder, { recursive: true });
  writeFileSync(path.join(first.folder, "of-before"), "");
  const { reports, ...watching } = watch();
  await installServer(first, watching);
  assert.ok(reports.includes("trying it"));
  assert.ok(!existsSync(path.join(first.folder, "of-before")));
  const found = findServer([], first.folder);
  assert.ok(found.kind === "found" && found.from === "private");
  assert.equal((await runInfill(found, ["doctor"])).text.trim(), "first doctor");

  await assert.rejects(installServer(order(wheel("0.0.2", ""), "whole"), watch()), InstallError);
  assert.equal((await runInfill(found, [])).text.trim(), "first", "what does not work is not taken");

  assert.ok(await removeServer(first.folder));
  assert.deepEqual(readdirSync(path.dirname(first.folder)), []);
  assert.ok(!(await removeServer(first.folder)));
});

test("what fails says why and leaves nothing", async () => {
  const wrong = order("infill-ls-that-is-not-there", "wrong");
  await assert.rejects(installServer(wrong, watch()), /pip found no package infill-ls-that-is-not-there/);
  assert.deepEqual(readdirSync(path.dirname(wrong.folder)), []);
  const noPython = { ...wrong, python: "/gone/python" };
  await assert.rejects(installServer(noPython, watch()), /\/gone\/python, which the setting/);
});

test("called off, it ends at once and leaves nothing", async () => {
  const controller = new AbortController();
  const cancelled = order("infill-ls", "cancelled");
  const { report, log, signal } = watch(controller.signal);
  const install = installServer(cancelled, {
    report: (words) => {
      report(words);
      if (words === "making an environment") {
        setImmediate(() => controller.abort());
      }
    },
    log,
    signal,
  });
  await assert.rejects(install, InstallCancelled);
  assert.deepEqual(readdirSync(path.dirname(cancelled.folder)), []);
});

test("uninstalling removes the environment that the note names, and only one", async () => {
  const extension = path.join(root, "extension");
  const folder = path.join(root, "noted", "server");
  mkdirSync(extension);
  mkdirSync(folder, { recursive: true });
  assert.equal(await removeNoted(extension), undefined, "there is no note");
  leaveNote(extension, folder);
  assert.equal(await removeNoted(extension), undefined, "no environment: some other folder");
  assert.ok(existsSync(folder));
  writeFileSync(path.join(folder, "pyvenv.cfg"), "");
  assert.equal(await removeNoted(extension), folder);
  assert.ok(!existsSync(folder));
});
