// Starts the server's process and keeps its last words. Knows nothing of the protocol that is
// spoken with it.

import { type ChildProcess, spawn } from "node:child_process";

const MAX_WORDS_CHARS = 2000;

export interface ServerProcess {
  child: ChildProcess;
  /** The end of what it wrote to stderr. */
  lastWords(): string;
}

/**
 * Starts `command` and waits until it runs.
 * @throws the system's error, such as ENOENT, when it can not be run.
 */
export async function startProcess(
  command: readonly [string, ...string[]],
): Promise<ServerProcess> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
    // Windows runs .cmd and .bat through its shell only.
    shell: /\.(cmd|bat)$/i.test(program),
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  // What is written to a process that has ended fails; its end is told elsewhere.
  child.on("error", () => undefined);
  child.stdin.on("error", () => undefined);
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-MAX_WORDS_CHARS);
  });
  return { child, lastWords: () => words.trim() };
}

/** Ends a process that should have ended by itself, and waits for that. */
export async function endProcess(child: ChildProcess, patienceMs = 2000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
