// Finds a Python that the language server can be installed with. Knows nothing of VS Code or of
// what is installed.

import { execFile } from "node:child_process";

/** Minor versions of Python 3 that the server runs on. */
export const ALLOWED_MINORS = [13, 12, 11] as const;
export const ALLOWED_WORDS = "3.11 to 3.13";

const PROBE =
  "import sys, importlib.util as u; print(*sys.version_info[:3], sep='.'); print(sys.executable); " +
  "print('yes' if u.find_spec('venv') and u.find_spec('ensurepip') else 'no')";

export interface Python {
  /** Program and arguments that run it. */
  command: [string, ...string[]];
  /** Such as "3.12.4". */
  version: string;
  hasVenv: boolean;
}

export type PythonChoice =
  | { kind: "found"; python: Python }
  /** Some were found, none of an allowed version: `versions` says which. */
  | { kind: "wrongVersion"; versions: string[] }
  /** One would do but for its `venv` module. */
  | { kind: "noVenv"; version: string }
  | { kind: "wrongSetting"; program: string }
  | { kind: "none" };

/** Runs a program and returns what it printed; undefined when it can not be run or fails. */
export type RunProgram = (command: readonly [string, ...string[]]) => Promise<string | undefined>;

/** The commands that may be a Python, most wanted first. */
export function candidates(platform: NodeJS.Platform): [string, ...string[]][] {
  const versioned: [string][] = ALLOWED_MINORS.map((minor) => [`python3.${minor}`]);
  const launched: [string, string][] = ALLOWED_MINORS.map((minor) => ["py", `-3.${minor}`]);
  return platform === "win32"
    ? [...launched, ["py", "-3"], ["python"], ["python3"]]
    : [...versioned, ["python3"], ["python"]];
}

/** Chooses a Python: the one that the user has set if any, else the first that fits. */
export async function choosePython(
  setting: string,
  platform: NodeJS.Platform = process.platform,
  run: RunProgram = runProgram,
): Promise<PythonChoice> {
  const found: Python[] = [];
  for (const command of setting === "" ? candidates(platform) : [[setting] as [string]]) {
    const python = readProbe(command, await run([...command, "-c", PROBE]));
    if (python !== undefined && isAllowed(python.version) && python.hasVenv) {
      return { kind: "found", python };
    }
    if (python !== undefined) {
      found.push(python);
    }
  }
  const withoutVenv = found.find((python) => isAllowed(python.version));
  if (withoutVenv !== undefined) {
    return { kind: "noVenv", version: withoutVenv.version };
  }
  if (found.length > 0) {
    const versions = [...new Set(found.map((python) => python.version))];
    return { kind: "wrongVersion", versions };
  }
  return setting === "" ? { kind: "none" } : { kind: "wrongSetting", program: setting };
}

/** Why there is no Python to install with, and what to do. */
export function pythonProblem(choice: Exclude<PythonChoice, { kind: "found" }>): string {
  const setIt = "or name one in the setting infill.server.python";
  switch (choice.kind) {
    case "none":
      return `No Python was found. Install Python ${ALLOWED_WORDS}, ${setIt}.`;
    case "wrongVersion":
      return (
        `Python ${choice.versions.join(", ")} was found, but the server needs ${ALLOWED_WORDS}. ` +
        `Install one of these, ${setIt}.`
      );
    case "noVenv":
      return (
        `Python ${choice.version} has no venv module. Install it (on Debian and Ubuntu: the package ` +
        `python3-venv), ${setIt}.`
      );
    case "wrongSetting":
      return (
        `${choice.program}, which the setting infill.server.python names, is not a Python that can ` +
        "be run. Correct the setting or empty it."
      );
  }
}

function readProbe(command: [string, ...string[]], output: string | undefined): Python | undefined {
  const [version = "", executable = "", venv = ""] = (output ?? "").trim().split(/\r?\n/);
  if (!/^\d+\.\d+\.\d+$/.test(version)) {
    return undefined;
  }
  // Its own path, so that what `py -3` or a PATH means later does not matter.
  const own: [string, ...string[]] = executable === "" ? command : [executable];
  return { command: own, version, hasVenv: venv === "yes" };
}

function isAllowed(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major === 3 && ALLOWED_MINORS.some((allowed) => allowed === minor);
}

const runProgram: RunProgram = ([program, ...args]) =>
  new Promise((resolve) => {
    execFile(program, args, { timeout: 20_000, windowsHide: true }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
