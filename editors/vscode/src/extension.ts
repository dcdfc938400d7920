// Wires the parts together when VS Code starts the extension. Each part registers what it needs;
// nothing here knows how they work.

import * as vscode from "vscode";

import { registerDenoising } from "./denoising/register";
import { CatchUp } from "./ghostText/catchUp";
import { GhostText } from "./ghostText/provider";
import { registerRewrite } from "./rewrite/register";
import { findServer } from "./server/find";
import { ServerLifecycle } from "./server/lifecycle";
import { tellCrashLoop } from "./server/messages";
import { privateFolder, ServerOffer } from "./server/offer";
import { readOwnSettings } from "./settings";
import { registerMenu } from "./status/menu";
import { StatusItem } from "./status/statusItem";

let running: ServerLifecycle | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("infill-ls", { log: true });
  const find = () => findServer(readOwnSettings().command, privateFolder(context));
  const server: ServerLifecycle = new ServerLifecycle({
    find,
    makeClient: async (process, onClosed) => {
      // Read from disk only now: the editor is not kept waiting for it while it starts.
      const { createClient } = await import("./client");
      return createClient(process.child, {
        log,
        onClosed,
        // Never the client's own request: it can not be told of while it converges.
        provideInlineCompletionItems: (document, position, context, token) =>
          ghostText.provide(document, position, context, token),
      });
    },
    onMissing: (found) => offer.onMissing(found),
    onCrashLoop: (message) => void tellCrashLoop(message),
    log: (line) => log.info(line),
  });
  const ghostText = new GhostText(server, () => server.client);
  const offer = new ServerOffer(context, server, log);
  running = server;
  context.subscriptions.push(
    log,
    server,
    ghostText,
    new CatchUp(server, ghostText),
    new StatusItem(server, ghostText),
    vscode.commands.registerCommand("infill.showLog", () => log.show()),
    vscode.commands.registerCommand("infill.restart", () => server.restart()),
    vscode.commands.registerCommand("infill.trigger", () =>
      vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
    ),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("infill")) {
        server.forgetWithheld();
      }
      if (change.affectsConfiguration("infill.server.command")) {
        await server.restart();
      }
    }),
    // The server is told of trust when it starts.
    vscode.workspace.onDidGrantWorkspaceTrust(() => server.restart()),
    // Ticks off the first step of the walkthrough.
    server.onDidChangeUiState(() => {
      if (server.isRunning) {
        void vscode.commands.executeCommand("setContext", "infill.serverFound", true);
      }
    }),
    vscode.window.onDidChangeActiveTextEditor((editor) => lookAt(server, editor)),
  );
  registerMenu(context, server, find);
  registerRewrite(context, server);
  registerDenoising(context, server);
  lookAt(server, vscode.window.activeTextEditor);
  void server.start();
}

export async function deactivate(): Promise<void> {
  await running?.stop();
  running = undefined;
}

function lookAt(server: ServerLifecycle, editor: vscode.TextEditor | undefined): void {
  server.lookAt(editor?.document.uri.toString());
}
