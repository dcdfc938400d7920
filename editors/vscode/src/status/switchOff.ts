// Switches suggestions off and on, here or for a language, and says where they are off by settings.
// Knows nothing of the server.

import * as vscode from "vscode";

/** Why nothing is suggested in `document` as far as settings say; undefined when they allow it. */
export function whereSwitchedOff(document: vscode.TextDocument | undefined): string | undefined {
  if (!isEnabled(document)) {
    return "Suggestions are switched off here.";
  }
  if (document !== undefined && disabledLanguages(document).includes(document.languageId)) {
    return `Suggestions are switched off for ${document.languageId}.`;
  }
  return undefined;
}

export function isEnabled(document: vscode.TextDocument | undefined): boolean {
  return settings(document).get("enabled", true);
}

export function isLanguageEnabled(document: vscode.TextDocument): boolean {
  return !disabledLanguages(document).includes(document.languageId);
}

/** Switches suggestions off or on in the document's workspace folder, or wherever there is none. */
export async function toggleHere(document: vscode.TextDocument | undefined): Promise<void> {
  const wanted = !isEnabled(document);
  await settings(document).update("enabled", wanted, targetFor(document));
}

/** Switches suggestions off or on for the document's language, for this user. */
export async function toggleLanguage(document: vscode.TextDocument): Promise<void> {
  const { languageId } = document;
  const before = disabledLanguages(document);
  const after = before.includes(languageId)
    ? before.filter((language) => language !== languageId)
    : [...before, languageId];
  await settings(document).update(
    "disabledLanguages",
    after,
    targetOf(settings(document).inspect("disabledLanguages")),
  );
}

function disabledLanguages(document: vscode.TextDocument): string[] {
  return settings(document).get<string[]>("disabledLanguages", []);
}

function settings(document: vscode.TextDocument | undefined): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("infill", document);
}

function targetFor(document: vscode.TextDocument | undefined): vscode.ConfigurationTarget {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (!vscode.workspace.isTrusted) {
    return vscode.ConfigurationTarget.Global; // what a folder's settings say does not count
  }
  if (document !== undefined && vscode.workspace.getWorkspaceFolder(document.uri) !== undefined) {
    return vscode.ConfigurationTarget.WorkspaceFolder;
  }
  return folders.length > 0
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
}

/** Where a value counts now: a change elsewhere would have no effect. */
function targetOf(
  found: { workspaceFolderValue?: unknown; workspaceValue?: unknown } | undefined,
): vscode.ConfigurationTarget {
  if (!vscode.workspace.isTrusted) {
    return vscode.ConfigurationTarget.Global;
  }
  if (found?.workspaceFolderValue !== undefined) {
    return vscode.ConfigurationTarget.WorkspaceFolder;
  }
  return found?.workspaceValue !== undefined
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
}
