// The panel that shows the last request's canvas step by step. It remembers nothing once it is
// closed. Knows nothing of how the page draws.

import { randomBytes } from "node:crypto";

import * as vscode from "vscode";

import { REWRITE_PREVIEW, type RewritePreview, type StreamUpdate, UPDATE } from "../protocol";
import type { Server } from "../server";
import { recordingAsText } from "./asText";
import type { ToPage, ToPanel } from "./messages";
import { pageHtml } from "./page";
import { type Change, Recorder } from "./recording";

export class DenoisingPanel {
  private readonly recorder = new Recorder();
  private readonly panel: vscode.WebviewPanel;

  /** Opens the panel beside the editor, which keeps the cursor; `onClosed` is called at its end. */
  constructor(extensionUri: vscode.Uri, server: Server, onClosed: () => void) {
    const files = vscode.Uri.joinPath(extensionUri, "dist", "denoising");
    const place = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    this.panel = vscode.window.createWebviewPanel("infill.denoising", "Denoising", place, {
      enableScripts: true,
      localResourceRoots: [files],
    });
    const { webview } = this.panel;
    const subscriptions = [
      server.onNotification<StreamUpdate>(UPDATE, (update) =>
        this.tell(this.recorder.addUpdate(update, performance.now())),
      ),
      server.onNotification<RewritePreview>(REWRITE_PREVIEW, (preview) =>
        this.tell(this.recorder.addPreview(preview, performance.now())),
      ),
      webview.onDidReceiveMessage((message: ToPanel) => this.onMessage(message)),
    ];
    this.panel.onDidDispose(() => {
      for (const subscription of subscriptions) {
        subscription.dispose();
      }
      onClosed();
    });
    webview.html = pageHtml({
      cspSource: webview.cspSource,
      nonce: randomBytes(16).toString("hex"),
      scriptUri: webview.asWebviewUri(vscode.Uri.joinPath(files, "main.js")).toString(),
      styleUri: webview.asWebviewUri(vscode.Uri.joinPath(files, "view.css")).toString(),
    });
  }

  /** Brings the panel to the front where it is. */
  reveal(): void {
    this.panel.reveal(undefined, true);
  }

  dispose(): void {
    this.panel.dispose();
  }

  private async onMessage(message: ToPanel): Promise<void> {
    const { recorder } = this;
    switch (message.type) {
      case "ready":
        this.post({
          type: "open",
          recording: recorder.recording ?? null,
          isFollowing: recorder.isFollowing,
        });
        break;
      case "follow":
        recorder.isFollowing = message.isFollowing;
        break;
      case "copy":
        if (recorder.recording) {
          await vscode.env.clipboard.writeText(recordingAsText(recorder.recording));
          this.post({ type: "copied" });
        }
        break;
    }
  }

  private tell(change: Change | undefined): void {
    // Hidden, the page is gone; it asks for all there is when it is back.
    if (change && this.panel.visible) {
      this.post(change);
    }
  }

  private post(message: ToPage): void {
    void this.panel.webview.postMessage(message);
  }
}
