// The other side of the diff editor: documents as they would be with their rewrite. Knows nothing
// of how a rewrite comes about.

import * as vscode from "vscode";

export const DIFF_SCHEME = "infill-rewrite";

/** Makes the diff's other side out of what `textOf` says of a document. */
export class DiffDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registered: vscode.Disposable;
  readonly onDidChange = this.changed.event;

  constructor(private readonly textOf: (original: vscode.Uri) => string | undefined) {
    this.registered = vscode.workspace.registerTextDocumentContentProvider(DIFF_SCHEME, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.textOf(originalOf(uri)) ?? "";
  }

  /** Tells an open diff that the rewrite, or the document around it, changed. */
  refresh(original: vscode.Uri): void {
    const uri = rewrittenUri(original);
    if (vscode.workspace.textDocuments.some((one) => one.uri.toString() === uri.toString())) {
      this.changed.fire(uri);
    }
  }

  /** Opens the diff of a document with its rewrite beside it, at the place where that begins. */
  async show(document: vscode.TextDocument, start: vscode.Position): Promise<void> {
    const uri = rewrittenUri(document.uri);
    const opened = await vscode.workspace.openTextDocument(uri);
    if (opened.languageId !== document.languageId) {
      await vscode.languages.setTextDocumentLanguage(opened, document.languageId);
    }
    const name = document.uri.path.split("/").pop() ?? "";
    const title = `${name} (rewritten)`;
    await vscode.commands.executeCommand("vscode.diff", document.uri, uri, title, {
      selection: new vscode.Range(start, start),
    });
  }

  /** Closes the diff of a document, wherever it is open. */
  async close(original: vscode.Uri): Promise<void> {
    const uri = rewrittenUri(original).toString();
    const tabs = vscode.window.tabGroups.all
      .flatMap((group) => group.tabs)
      .filter(
        (tab) => tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === uri,
      );
    if (tabs.length > 0) {
      await vscode.window.tabGroups.close(tabs, true);
    }
  }

  dispose(): void {
    this.registered.dispose();
    this.changed.dispose();
  }
}

/** The document that a side of a diff belongs to; any other is its own. */
export function originalOf(uri: vscode.Uri): vscode.Uri {
  return uri.scheme === DIFF_SCHEME ? vscode.Uri.parse(uri.query) : uri;
}

function rewrittenUri(original: vscode.Uri): vscode.Uri {
  const path = original.path.startsWith("/") ? original.path : `/${original.path}`;
  return vscode.Uri.from({ scheme: DIFF_SCHEME, path, query: original.toString() });
}
