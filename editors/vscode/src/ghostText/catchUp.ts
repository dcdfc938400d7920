// Asks once more after the server was away: VS Code asks when a key is pressed, and the keys that were
// pressed meanwhile went unanswered. Knows nothing of what is suggested.

import * as vscode from "vscode";

import type { Server } from "../server";

export class CatchUp implements vscode.Disposable {
  private missed: vscode.TextDocument | undefined;
  private readonly watching: vscode.Disposable;

  constructor(private readonly server: Server) {
    this.watching = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        // The log is a document too.
        if (document === vscode.window.activeTextEditor?.document) {
          this.missed = server.isRunning ? undefined : document;
        }
      }),
      vscode.window.onDidChangeTextEditorSelection(({ kind }) => {
        // Who moved elsewhere by hand does not wait there any more.
        if (kind === vscode.TextEditorSelectionChangeKind.Mouse) {
          this.missed = undefined;
        }
      }),
      server.onDidChangeUiState(() => this.look()),
    );
  }

  dispose(): void {
    this.watching.dispose();
  }

  private look(): void {
    const { state } = this.server.uiState;
    if (!this.server.isRunning || (state !== "ready" && state !== "stopped")) {
      return;
    }
    const isWaiting =
      this.missed !== undefined && vscode.window.activeTextEditor?.document === this.missed;
    this.missed = undefined;
    if (isWaiting) {
      // Nothing is shown at this moment, so nothing can flicker.
      const asWhenTyping = { explicit: false };
      void vscode.commands.executeCommand("editor.action.inlineSuggest.trigger", asWhenTyping);
    }
  }
}
