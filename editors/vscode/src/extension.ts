// Wires the parts together when VS Code starts the extension. Each part registers what it needs;
// nothing here knows how they work.

import * as vscode from "vscode";
import { CloseAction, ErrorAction } from "vscode-languageclient/node";

import { createClient } from "./client";
import { registerDenoising } from "./denoising/register";
import { registerRewrite } from "./rewrite/register";
import { ServerLifecycle } from "./server/lifecycle";
import { readOwnSettings } from "./settings";
import { StatusItem } from "./status/statusItem";

let running: ServerLifecycle | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("infill-ls", { log: true });
  const server = new ServerLifecycle(async () => {
    const { command } = readOwnSettings();
    return createClient(command.length > 0 ? command : ["infill-ls"], {
      log,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue }),
        closed: () => ({ action: CloseAction.DoNotRestart }),
      },
      inlineCompletion: {},
    });
  });
  running = server;
  context.subscriptions.push(
    log,
    server,
    new StatusItem(server),
    vscode.commands.registerCommand("infill.showLog", () => log.show()),
    vscode.commands.registerCommand("infill.restart", () => server.restart()),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("infill.server")) {
        await server.restart();
      }
    }),
    // The server is told of trust when it starts.
    vscode.workspace.onDidGrantWorkspaceTrust(() => server.restart()),
  );
  registerRewrite(context, server);
  registerDenoising(context, server);
  void server.start();
}

export async function deactivate(): Promise<void> {
  await running?.stop();
  running = undefined;
}
