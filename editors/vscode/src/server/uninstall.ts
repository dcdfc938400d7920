// Removes the private environment and what its server kept elsewhere: when the user asks for it, and
// when the extension is uninstalled. VS Code lets a program of its own do that, without telling it
// where the extension kept its things: the extension leaves a note. Knows nothing of how the
// environment came there.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";

import { runInfill } from "./commandLine";
import { type Found, privateCommand, pythonIn, resolveProgram } from "./find";
import { removeServer } from "./install";

const NOTE = "private-environment.txt";

/** Notes in `extensionFolder` that there may be an environment at `folder`. */
export function leaveNote(extensionFolder: string, folder: string): void {
  const note = path.join(extensionFolder, NOTE);
  if (!existsSync(note)) {
    writeFileSync(note, folder, "utf8");
  }
}

/**
 * Ends the engine of the environment at `folder`, has it remove settings, counters and logs, and
 * removes the environment. Where the user has another infill-ls, those are its too, and stay.
 * @returns whether there was one.
 */
export async function removeServerAndTraces(folder: string): Promise<boolean> {
  const python = pythonIn(folder);
  if (existsSync(python)) {
    const server: Found = { kind: "found", command: privateCommand(python), from: "private" };
    const isOnlyOne = resolveProgram("infill-ls") === undefined;
    // One that is broken has nothing to say; its files go all the same.
    await runInfill(server, isOnlyOne ? ["forget", "--yes"] : ["engine", "stop"], 30_000).catch(
      () => undefined,
    );
  }
  return removeServer(folder);
}

/**
 * Removes the environment that the note in `extensionFolder` names, if it is one.
 * @returns its folder, or undefined when there was nothing to remove.
 */
export async function removeNoted(extensionFolder: string): Promise<string | undefined> {
  const note = path.join(extensionFolder, NOTE);
  const folder = existsSync(note) ? readFileSync(note, "utf8").trim() : "";
  // A note is a file like any other: what it names has to look like what was installed.
  if (!path.isAbsolute(folder) || !existsSync(path.join(folder, "pyvenv.cfg"))) {
    return undefined;
  }
  await removeServerAndTraces(folder);
  return folder;
}
