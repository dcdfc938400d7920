// What is to be rewritten, taken from an editor or from the arguments of a command, or a sentence
// that says why it can't be. Knows nothing of the server.

import * as vscode from "vscode";

import type { RewriteOrder } from "../protocol";

export interface Target {
  document: vscode.TextDocument;
  range: vscode.Range;
}

/** A rewrite that can't be begun; the message is for the user. */
export class NotRewritable extends Error {}

/**
 * What the command was called for: a server's order, as its code action gives it, else the
 * selection of the active editor.
 * @throws NotRewritable with what is wrong and what to do.
 */
export async function targetOf(argument: unknown): Promise<Target> {
  const target = isOrder(argument) ? await ofOrder(argument) : ofActiveEditor();
  const { scheme } = target.document.uri;
  if (scheme !== "file" && scheme !== "untitled") {
    throw new NotRewritable(
      scheme === "vscode-notebook-cell"
        ? "Cells of notebooks can't be rewritten; copy the code into a file."
        : `Only files can be rewritten; this is a document of ${scheme}.`,
    );
  }
  const range = withoutLastLineBreak(target.document, target.range);
  if (!target.document.getText(range).trim()) {
    throw new NotRewritable("Nothing is selected. Select the code to rewrite, then ask again.");
  }
  if (await isReadonly(target.document)) {
    throw new NotRewritable("The file can't be written, so nothing in it can be rewritten.");
  }
  return { document: target.document, range };
}

function isOrder(argument: unknown): argument is RewriteOrder {
  return typeof argument === "object" && argument !== null && "uri" in argument && "range" in argument;
}

async function ofOrder(order: RewriteOrder): Promise<Target> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(order.uri));
  const { start, end } = order.range;
  const range = new vscode.Range(start.line, start.character, end.line, end.character);
  if (order.version !== undefined && order.version !== document.version) {
    throw new NotRewritable("The document has changed since; select again.");
  }
  return { document, range: document.validateRange(range) };
}

function ofActiveEditor(): Target {
  const editor = vscode.window.activeTextEditor;
  if (!editor) {
    throw new NotRewritable("No file is open. Open one and select the code to rewrite.");
  }
  if (editor.selections.length > 1) {
    throw new NotRewritable(
      `One selection is rewritten at a time; there are ${editor.selections.length}.`,
    );
  }
  return { document: editor.document, range: editor.selection };
}

/** Whole lines are selected with the last one's end, which the model need not write. */
function withoutLastLineBreak(document: vscode.TextDocument, range: vscode.Range): vscode.Range {
  return range.end.character === 0 && range.end.line > range.start.line
    ? range.with({ end: document.lineAt(range.end.line - 1).range.end })
    : range;
}

/** As far as the stable API tells; an editor that is read-only for another reason refuses the edit. */
async function isReadonly({ uri }: vscode.TextDocument): Promise<boolean> {
  if (vscode.workspace.fs.isWritableFileSystem(uri.scheme) === false) {
    return true;
  }
  if (uri.scheme !== "file") {
    return false;
  }
  try {
    const { permissions } = await vscode.workspace.fs.stat(uri);
    return ((permissions ?? 0) & vscode.FilePermission.Readonly) !== 0;
  } catch {
    return false; // deleted meanwhile: the text is still here
  }
}
