// Removes the private environment when the extension is uninstalled, which VS Code lets a program of
// its own do, without telling it where the extension kept its things: the extension leaves a note.
// Knows nothing of how the environment came there.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";

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
  await removeServer(folder);
  return folder;
}
