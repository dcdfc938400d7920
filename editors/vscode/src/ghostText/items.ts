// Makes VS Code's item of what is left of a suggestion. Knows nothing of where that came from.

import * as vscode from "vscode";

import { DID_ACCEPT_COMMAND } from "../protocol";
import type { Rest } from "./autoClosed";

/**
 * Offers `rest` at the cursor. The item replaces what was typed since it was asked for at `asked`: an
 * item that begins where it began before flashes less while it is typed than one at the cursor. It
 * begins no earlier, for VS Code goes on showing an item, with what was deleted put back, as long as
 * deletions stay behind its beginning; then the answer for the place come back to would replace it.
 */
export function itemAt(
  document: vscode.TextDocument,
  cursor: vscode.Position,
  asked: vscode.Position,
  rest: Rest,
): vscode.InlineCompletionItem {
  const isOnLine = asked.line === cursor.line && asked.isBeforeOrEqual(cursor);
  const start = isOnLine ? asked : cursor.with({ character: 0 });
  const range = new vscode.Range(start, after(cursor, rest));
  return item(document, range, cursor, rest.text);
}

/**
 * Offers `rest` as what extends the item selected in the completion menu.
 * @returns undefined when it does not: VS Code would not show it, or show it wrong.
 */
export function itemBesideMenu(
  document: vscode.TextDocument,
  cursor: vscode.Position,
  rest: Rest,
  selected: vscode.SelectedCompletionInfo,
): vscode.InlineCompletionItem | undefined {
  const { range, text } = selected;
  if (!range.end.isEqual(after(cursor, rest)) || range.start.isAfter(cursor)) {
    return undefined;
  }
  const offered = item(document, range, cursor, rest.text);
  return String(offered.insertText).startsWith(text) ? offered : undefined;
}

/** Whether VS Code would show `item` beside the item that is selected in the completion menu. */
export function extendsSelected(
  item: vscode.InlineCompletionItem,
  { selectedCompletionInfo: selected }: vscode.InlineCompletionContext,
): boolean {
  if (selected === undefined || item.range === undefined || typeof item.insertText !== "string") {
    return false;
  }
  return item.range.isEqual(selected.range) && item.insertText.startsWith(selected.text);
}

/** What the editor runs once it has put in `text`, so that the server learns of it. */
function acceptedCommand(uri: vscode.Uri, text: string): vscode.Command {
  return {
    command: DID_ACCEPT_COMMAND,
    title: "Suggestion accepted",
    arguments: [uri.toString(), [...text].length],
  };
}

function item(
  document: vscode.TextDocument,
  range: vscode.Range,
  cursor: vscode.Position,
  text: string,
): vscode.InlineCompletionItem {
  const before = document.getText(new vscode.Range(range.start, cursor));
  return new vscode.InlineCompletionItem(
    before + text,
    range,
    acceptedCommand(document.uri, text),
  );
}

function after(cursor: vscode.Position, rest: Rest): vscode.Position {
  return cursor.translate({ characterDelta: rest.numReplacedAfter });
}
