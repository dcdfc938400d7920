// Shows in the status bar how the server and its engine are. Knows nothing of how that was found
// out.

import * as vscode from "vscode";

import type { Server, UiState } from "../server";

const ICONS: Record<UiState["state"], string> = {
  missing: "$(cloud-download)",
  installing: "$(sync~spin)",
  starting: "$(loading~spin)",
  ready: "$(check)",
  stopped: "$(circle-slash)",
  withheld: "$(eye-closed)",
  error: "$(warning)",
};

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly watching: vscode.Disposable;

  constructor(server: Server) {
    this.item = vscode.window.createStatusBarItem("infill.status", vscode.StatusBarAlignment.Right);
    this.item.name = "infill-ls";
    this.item.command = "infill.menu";
    this.watching = server.onDidChangeUiState((state) => this.draw(state));
    this.draw(server.uiState);
    this.item.show();
  }

  dispose(): void {
    this.watching.dispose();
    this.item.dispose();
  }

  private draw({ state, message, percent }: UiState): void {
    const share = percent === null ? "" : ` ${Math.round(percent)} %`;
    this.item.text = `${ICONS[state]} infill${share}`;
    this.item.tooltip = message;
  }
}
