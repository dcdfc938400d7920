// Installs the language server into an environment of its own: venv, pip, a try, and only then the
// place where it is looked for. Knows nothing of VS Code or of how progress is shown.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, rename, rm } from "node:fs/promises";
import * as path from "node:path";

import { privateCommand, pythonIn } from "./find";
import { problemOf, progressOf } from "./pipOutput";
import { choosePython, pythonProblem } from "./python";

export interface InstallOrder {
  /** Where the environment will lie; one that is there is replaced. */
  folder: string;
  /** Python to make it with; "" for the first that fits. */
  python: string;
  /** What pip installs. */
  requirement: string;
  pipArguments: readonly string[];
}

export interface InstallWatch {
  /** What is being done, in a few words. */
  report(words: string): void;
  /** Every line that Python and pip print. */
  log(line: string): void;
  /** Ends it; what was there before stays. */
  signal: AbortSignal;
}

/** Why there is no server; the message is a sentence for the user. */
export class InstallError extends Error {}

/** The user called it off. */
export class InstallCancelled extends Error {}

/**
 * Installs the server.
 * @returns the command that starts it.
 * @throws InstallError, InstallCancelled. Nothing is left behind then.
 */
export async function installServer(
  order: InstallOrder,
  watch: InstallWatch,
): Promise<[string, ...string[]]> {
  watch.report("looking for Python");
  const choice = await choosePython(order.python);
  if (choice.kind !== "found") {
    throw new InstallError(pythonProblem(choice));
  }
  watch.log(`Python ${choice.python.version}: ${choice.python.command.join(" ")}`);
  // Beside its final place: within one disk, renaming is done at once or not at all.
  const building = `${order.folder}.building`;
  const old = `${order.folder}.old`;
  try {
    await mkdir(path.dirname(order.folder), { recursive: true });
    await remove(building);
    await remove(old);
    await build(order, choice.python.command, building, watch);
    await rename(order.folder, old).catch(ignoreMissing);
    await rename(building, order.folder);
  } catch (error) {
    throw watch.signal.aborted ? new InstallCancelled() : asInstallError(error, order.requirement);
  } finally {
    await remove(building);
    await remove(old);
  }
  return privateCommand(pythonIn(order.folder));
}

/** Removes the environment, a half-made one too. Returns whether there was one. */
export async function removeServer(folder: string): Promise<boolean> {
  const wasThere = await rename(folder, `${folder}.old`).then(
    () => true,
    (error: unknown) => {
      ignoreMissing(error);
      return false;
    },
  );
  await remove(`${folder}.old`);
  await remove(`${folder}.building`);
  return wasThere;
}

async function build(
  { requirement, pipArguments }: InstallOrder,
  python: readonly [string, ...string[]],
  folder: string,
  watch: InstallWatch,
): Promise<void> {
  watch.report("making an environment");
  await run([...python, "-m", "venv", folder], watch);
  const own = pythonIn(folder);
  watch.report("asking for the packages");
  const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input"];
  await run([own, ...pip, ...pipArguments, requirement], watch);
  watch.report("trying it");
  await run([...privateCommand(own), "--version"], watch);
}

/** @throws PrintedError with what was printed when it can not be run or fails. */
async function run(command: readonly [string, ...string[]], watch: InstallWatch): Promise<void> {
  watch.signal.throwIfAborted();
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
    // Its own group, so that what pip has started ends with it.
    detached: process.platform !== "win32",
    env: { ...process.env, PIP_PROGRESS_BAR: "off", PYTHONUNBUFFERED: "1" },
  });
  let printed = "";
  let line = "";
  const take = (text: string): void => {
    printed += text;
    const lines = (line + text).split(/\r?\n/);
    line = lines.pop() ?? "";
    for (const each of lines) {
      watch.log(each);
      const words = progressOf(each);
      if (words !== undefined) {
        watch.report(words);
      }
    }
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const abort = (): void => endGroup(child);
  watch.signal.addEventListener("abort", abort);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    watch.signal.throwIfAborted();
    if (code !== 0) {
      throw new PrintedError(printed);
    }
  } finally {
    watch.signal.removeEventListener("abort", abort);
  }
}

class PrintedError extends Error {}

function asInstallError(error: unknown, requirement: string): InstallError {
  const said = error instanceof Error ? error.message : String(error);
  return new InstallError(problemOf(said, requirement));
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) {
    return;
  }
  if (process.platform === "win32") {
    spawn("taskkill", ["/pid", String(child.pid), "/T", "/F"], { windowsHide: true });
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended in this moment.
  }
}

function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
    throw error;
  }
}
