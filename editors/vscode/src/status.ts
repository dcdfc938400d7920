// Shows in the status bar how the engine is. Knows nothing of how that was found out.

import * as vscode from "vscode";

/** What the server's `infill/status` notification says; the message holds no code. */
export interface ServerStatus {
  state: "stopped" | "starting" | "ready" | "unavailable" | "withheld";
  message: string;
}

const ICONS: Record<Exclude<ServerStatus["state"], "withheld">, string> = {
  stopped: "$(circle-slash)",
  starting: "$(loading~spin)",
  ready: "$(check)",
  unavailable: "$(warning)",
};

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;

  constructor(command: string) {
    this.item = vscode.window.createStatusBarItem("infill.status", vscode.StatusBarAlignment.Right);
    this.item.name = "infill-ls";
    this.item.command = command;
    this.show({ state: "starting", message: "The language server is starting." });
    this.item.show();
  }

  show(status: ServerStatus): void {
    // "withheld" is about one document; the icon goes on showing the engine.
    if (status.state !== "withheld") {
      this.item.text = `${ICONS[status.state]} infill`;
    }
    this.item.tooltip = status.message;
  }

  dispose(): void {
    this.item.dispose();
  }
}
