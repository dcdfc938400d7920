// Says in which documents and situations nothing is suggested, whatever the server would say. Knows
// nothing of suggestions.

import * as vscode from "vscode";

/** The documents that the server sees; output panels, diffs of git and the like are not among them. */
export const DOCUMENT_SELECTOR = [
  { scheme: "file" },
  { scheme: "untitled" },
  { scheme: "vscode-notebook-cell" },
];

/** Whether to stay silent in the editor that shows `document` now. */
export function isSilentIn(document: vscode.TextDocument): boolean {
  return hasManyCursors(document) || isOldSideOfDiff(document.uri);
}

/** One text for several cursors would be wrong at all but one. */
function hasManyCursors(document: vscode.TextDocument): boolean {
  const editor = vscode.window.activeTextEditor;
  return editor?.document === document && editor.selections.length > 1;
}

function isOldSideOfDiff(uri: vscode.Uri): boolean {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (!(input instanceof vscode.TabInputTextDiff)) {
    return false;
  }
  const document = uri.toString();
  return input.original.toString() === document && input.modified.toString() !== document;
}
