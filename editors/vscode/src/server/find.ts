// Says how to start the language server: where it is looked for, and in which order. Knows nothing
// of VS Code or of how a server gets there.

import { accessSync, constants, statSync } from "node:fs";
import * as path from "node:path";

export interface Surroundings {
  platform: NodeJS.Platform;
  env: Readonly<Record<string, string | undefined>>;
  home: string;
  isProgram(file: string): boolean;
}

export const THIS_MACHINE: Surroundings = {
  platform: process.platform,
  env: process.env,
  home: process.env["HOME"] ?? process.env["USERPROFILE"] ?? "",
  isProgram,
};

export type Found =
  | { kind: "found"; command: [string, ...string[]]; from: "setting" | "private" | "path" }
  /** The setting names something that can not be run. */
  | { kind: "wrongSetting"; program: string }
  | { kind: "none" };

/**
 * @param setting program and arguments that the user has set, empty for none.
 * @param privateFolder where this extension installs the server.
 */
export function findServer(
  setting: readonly string[],
  privateFolder: string,
  surroundings: Surroundings = THIS_MACHINE,
): Found {
  const [program, ...args] = setting;
  if (program !== undefined) {
    const file = resolveProgram(program, surroundings);
    return file === undefined
      ? { kind: "wrongSetting", program }
      : { kind: "found", command: [file, ...args], from: "setting" };
  }
  const python = pythonIn(privateFolder, surroundings.platform);
  if (surroundings.isProgram(python)) {
    return { kind: "found", command: privateCommand(python), from: "private" };
  }
  const file = resolveProgram("infill-ls", surroundings);
  return file === undefined ? { kind: "none" } : { kind: "found", command: [file], from: "path" };
}

/** The Python of an environment. */
export function pythonIn(folder: string, platform: NodeJS.Platform = process.platform): string {
  return platform === "win32"
    ? path.join(folder, "Scripts", "python.exe")
    : path.join(folder, "bin", "python");
}

/**
 * Starts the server of an environment through its Python: the scripts beside it name the folder in
 * which they were installed, and the environment is moved after that.
 */
export function privateCommand(python: string): [string, ...string[]] {
  // -P: the current folder, which may hold a user's random.py, stays off the import path.
  return [python, "-P", "-m", "infill_cli"];
}

/** The command without what makes it a language server: other commands can follow. */
export function commandLine(command: readonly [string, ...string[]]): [string, ...string[]] {
  const [program, ...args] = command;
  const end = args.findIndex((argument) => argument === "serve" || argument === "--stdio");
  return [program, ...(end < 0 ? args : args.slice(0, end))];
}

/** The full path of `program`, as a shell would find it or where pipx and pip put programs. */
export function resolveProgram(
  program: string,
  { platform, env, home, isProgram }: Surroundings = THIS_MACHINE,
): string | undefined {
  const isWindows = platform === "win32";
  const { join, delimiter, isAbsolute } = isWindows ? path.win32 : path.posix;
  const expanded = program.startsWith("~/") ? join(home, program.slice(2)) : program;
  const endings = isWindows && !/\.(exe|cmd|bat)$/i.test(expanded) ? [".exe", ".cmd", ".bat"] : [""];
  if (/[\\/]/.test(expanded)) {
    // A path that is not absolute would be looked for in whatever folder happens to be open.
    return isAbsolute(expanded)
      ? endings.map((ending) => expanded + ending).find(isProgram)
      : undefined;
  }
  const onPath = (env["PATH"] ?? env["Path"] ?? "").split(delimiter).filter(isAbsolute);
  // An editor started from a desktop often has a shorter PATH than a shell.
  const folders = [...onPath, ...(home === "" ? [] : [join(home, ".local", "bin")])];
  return folders
    .flatMap((folder) => endings.map((ending) => join(folder, expanded + ending)))
    .find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
