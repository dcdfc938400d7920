// Reads this extension's settings from VS Code. Their meaning and ranges are in package.json, which
// the server's schema writes.

import * as vscode from "vscode";

import { SERVER_SETTINGS } from "./serverSettings";

/** What the user has set for the server. Defaults are left out: they would hide .infill.toml. */
export function readServerSettings(resource?: vscode.Uri): Record<string, unknown> {
  const settings = vscode.workspace.getConfiguration("infill", resource);
  const isSet = (key: string): boolean => {
    const found = settings.inspect(key);
    return (
      found?.globalValue !== undefined ||
      found?.workspaceValue !== undefined ||
      found?.workspaceFolderValue !== undefined
    );
  };
  // `get`, not the values found: it knows which of them count.
  return Object.fromEntries(
    SERVER_SETTINGS.filter(isSet).map((key) => [key, settings.get(key)]),
  );
}

export function readServerCommand(): [string, ...string[]] {
  const command = vscode.workspace.getConfiguration("infill").get<string[]>("server.command") ?? [];
  const [program, ...args] = command;
  return program === undefined ? ["infill-ls"] : [program, ...args];
}
