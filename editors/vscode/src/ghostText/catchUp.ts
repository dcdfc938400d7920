// Asks once more after the server or its engine was away: VS Code asks when a key is pressed, and the keys that were
// pressed meanwhile went unanswered. Knows nothing of what is suggested.

import * as vscode from "vscode";

import type { Server } from "../server";
import type { GhostText } from "./provider";

export class CatchUp implements vscode.Disposable {
  private missed: vscode.TextDocument | undefined;
  private readonly watching: vscode.Disposable;

  constructor(
    private readonly server: Server,
    private readonly ghostText: GhostText,
  ) {
    this.watching = vscode.Disposable.from(
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        // The log is a document too.
        if (document === vscode.window.activeTextEditor?.document) {
          this.missed = isAnswering(server) ? undefined : document;
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
    if (!isAnswering(this.server)) {
      return;
    }
    const isWaiting =
      this.missed !== undefined && vscode.window.activeTextEditor?.document === this.missed;
    this.missed = undefined;
    if (isWaiting) {
      void this.ghostText.askAsWhenTyping();
    }
  }
}

function isAnswering({ isRunning, uiState }: Server): boolean {
  // While the engine starts, and when a request is what starts it, requests are answered by nothing.
  return isRunning && uiState.state === "ready";
}
