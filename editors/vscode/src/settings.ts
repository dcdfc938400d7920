// Reads this extension's settings from VS Code. Their meaning and ranges are in package.json.

import * as vscode from "vscode";

/** What the server is sent: every setting but those that only say how to start it. */
const SERVER_SETTINGS = [
  "enabled",
  "disabledLanguages",
  "mode",
  "deadlineMs",
  "lineMaxTokens",
  "blockMaxTokens",
  "minConfidence",
  "maxDocumentChars",
  "seed",
  "engine.url",
  "engine.token",
] as const;

export function readServerSettings(): Record<string, unknown> {
  const settings = vscode.workspace.getConfiguration("infill");
  return Object.fromEntries(SERVER_SETTINGS.map((key) => [key, settings.get(key)]));
}

export function readServerCommand(): [string, ...string[]] {
  const command = vscode.workspace.getConfiguration("infill").get<string[]>("server.command") ?? [];
  const [program, ...args] = command;
  return program === undefined ? ["infill-ls"] : [program, ...args];
}
