// Reads this extension's settings from VS Code. Their meaning and ranges are in package.json, most
// of which the server's schema writes.

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

/** What the user has set about where the server comes from; empty where nothing is set. */
export interface OwnSettings {
  /** Program and arguments that start the server. */
  command: string[];
  /** Python that the private environment is made with. */
  python: string;
  /** What pip installs: a name, a requirement, or the path of a wheel or a checkout. */
  package: string;
  pipArguments: string[];
}

export function readOwnSettings(): OwnSettings {
  const settings = vscode.workspace.getConfiguration("infill.server");
  return {
    command: settings.get<string[]>("command") ?? [],
    python: settings.get<string>("python") ?? "",
    package: settings.get<string>("package") || "infill-ls",
    pipArguments: settings.get<string[]>("pipArguments") ?? [],
  };
}
