// Registers the view of the canvas as it converges: one panel, opened by a command.

import * as vscode from "vscode";

import type { Server } from "../server";
import { DenoisingPanel } from "./panel";

export function registerDenoising(context: vscode.ExtensionContext, server: Server): void {
  let panel: DenoisingPanel | undefined;
  context.subscriptions.push(
    vscode.commands.registerCommand("infill.showDenoising", () => {
      if (panel) {
        panel.reveal();
        return;
      }
      panel = new DenoisingPanel(context.extensionUri, server, () => {
        panel = undefined;
      });
    }),
    { dispose: () => panel?.dispose() },
  );
}
