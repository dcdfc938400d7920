// Runs infill-ls's other commands, such as `doctor`, with the program that is also the server.
// Knows nothing of what they do.

import { execFile } from "node:child_process";

import { commandLine, type Found } from "./find";

export interface Printed {
  /** What it wrote to stdout and stderr, in this order. */
  text: string;
  hasFailed: boolean;
}

/**
 * Runs `infill-ls ARGS`.
 * Rejects only when it can not be run, ran longer than `timeoutMs`, or was ended by `signal`.
 */
export function runInfill(
  { command }: Extract<Found, { kind: "found" }>,
  args: readonly string[],
  timeoutMs = 600_000,
  signal = new AbortController().signal,
): Promise<Printed> {
  const [program, ...before] = commandLine(command);
  return new Promise((resolve, reject) => {
    const options = {
      timeout: timeoutMs,
      signal,
      windowsHide: true,
      // Windows runs .cmd and .bat through its shell only.
      shell: /\.(cmd|bat)$/i.test(program),
      env: { ...process.env, NO_COLOR: "1", PYTHONUTF8: "1" },
    };
    execFile(program, [...before, ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") {
        reject(error);
      } else {
        resolve({ text: stdout + stderr, hasFailed: error !== null });
      }
    });
  });
}
