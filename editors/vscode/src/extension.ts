// Starts and stops the language server with the editor. The ghost text is VS Code's own; nothing
// here knows how a suggestion is made.

import * as vscode from "vscode";
import { LanguageClient, State } from "vscode-languageclient/node";

import { createClient } from "./server";
import { ServerStatus, StatusItem } from "./status";

let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("infill-ls", { log: true });
  const statusItem = new StatusItem("infill.showLog");
  context.subscriptions.push(
    log,
    statusItem,
    vscode.commands.registerCommand("infill.showLog", () => log.show()),
    vscode.commands.registerCommand("infill.restart", () => restart(log, statusItem)),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("infill.server")) {
        await restart(log, statusItem);
      }
    }),
    // The server is told of trust when it starts.
    vscode.workspace.onDidGrantWorkspaceTrust(() => restart(log, statusItem)),
  );
  await start(log, statusItem);
}

export async function deactivate(): Promise<void> {
  await client?.stop();
  client = undefined;
}

async function start(log: vscode.LogOutputChannel, statusItem: StatusItem): Promise<void> {
  const started = createClient(log);
  client = started;
  started.onNotification("infill/status", (status: ServerStatus) => statusItem.show(status));
  started.onDidChangeState((change) => {
    if (change.newState === State.Stopped) {
      statusItem.show({ state: "stopped", message: "The language server is not running." });
    }
  });
  try {
    await started.start();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    statusItem.show({ state: "unavailable", message: `The language server did not start: ${why}` });
    log.error(why);
  }
}

async function restart(log: vscode.LogOutputChannel, statusItem: StatusItem): Promise<void> {
  try {
    await deactivate();
  } catch (error) {
    // One that never started cannot be stopped; what matters is the new one.
    log.warn(String(error));
  }
  await start(log, statusItem);
}
