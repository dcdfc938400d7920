// Shows in the status bar how the server and its engine are, and when a suggestion is being thought
// of. Knows nothing of how that was found out.

import * as vscode from "vscode";

import type { Withheld } from "../ghostText/stream";
import type { Server, UiState } from "../server";
import { whereSwitchedOff } from "./switchOff";

/** Thinking shorter than this is not shown: the item would blink with every key. */
const THINKING_AFTER_MS = 300;

const ICONS: Record<UiState["state"] | "thinking", string> = {
  missing: "$(cloud-download)",
  installing: "$(sync~spin)",
  starting: "$(loading~spin)",
  ready: "$(check)",
  thinking: "$(sparkle)",
  stopped: "$(circle-slash)",
  withheld: "$(eye-closed)",
  error: "$(warning)",
};

/** Who says whether somebody waits for a suggestion, and why there was none. */
export interface Suggesting {
  readonly onDidChangeThinking: vscode.Event<boolean>;
  readonly onDidWithhold: vscode.Event<Withheld | undefined>;
}

/** Reasons that hold for the whole document: they are shown without a look at the tooltip. */
const OF_DOCUMENT = new Set(["switched_off", "excluded", "read_only", "binary", "too_large"]);

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly watching: vscode.Disposable;
  private isThinking = false;
  private withheld: Withheld | undefined;
  private thinkingTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: Server,
    suggesting: Suggesting,
  ) {
    this.item = vscode.window.createStatusBarItem("infill.status", vscode.StatusBarAlignment.Right);
    this.item.name = "infill-ls";
    this.item.command = "infill.menu";
    this.watching = vscode.Disposable.from(
      server.onDidChangeUiState(() => this.draw()),
      suggesting.onDidChangeThinking((isThinking) => this.think(isThinking)),
      suggesting.onDidWithhold((why) => {
        this.withheld = why;
        this.draw();
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.forgetWithheld()),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("infill")) {
          this.forgetWithheld();
        }
      }),
    );
    this.draw();
    this.item.show();
  }

  dispose(): void {
    clearTimeout(this.thinkingTimer);
    this.watching.dispose();
    this.item.dispose();
  }

  private think(isThinking: boolean): void {
    clearTimeout(this.thinkingTimer);
    if (isThinking) {
      this.thinkingTimer = setTimeout(() => this.setThinking(true), THINKING_AFTER_MS);
    } else {
      this.setThinking(false);
    }
  }

  private setThinking(isThinking: boolean): void {
    if (this.isThinking !== isThinking) {
      this.isThinking = isThinking;
      this.draw();
    }
  }

  private forgetWithheld(): void {
    this.withheld = undefined;
    this.draw();
  }

  private draw(): void {
    const { state, message, percent } = this.whatToShow();
    const share = percent === null ? "" : ` ${Math.round(percent)} %`;
    this.item.text = `${ICONS[state]} infill${share}`;
    this.item.tooltip = message;
    this.item.backgroundColor =
      state === "error" ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  private whatToShow(): Omit<UiState, "state"> & { state: keyof typeof ICONS } {
    const server = this.server.uiState;
    if (server.state !== "ready" && server.state !== "stopped") {
      return server;
    }
    const off = whereSwitchedOff(vscode.window.activeTextEditor?.document);
    if (off !== undefined) {
      return { state: "withheld", message: off, percent: null };
    }
    if (this.isThinking) {
      return { ...server, state: "thinking" };
    }
    if (this.withheld === undefined) {
      return server;
    }
    const { reason, message } = this.withheld;
    return OF_DOCUMENT.has(reason)
      ? { state: "withheld", message, percent: null }
      : { ...server, message: `${server.message}\nNothing suggested at the cursor: ${message}` };
  }
}
