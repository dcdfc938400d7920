// Says how the language server is started and which documents it sees. Knows nothing of what the
// user is shown.

import * as vscode from "vscode";
import { LanguageClient, LanguageClientOptions, ServerOptions } from "vscode-languageclient/node";

import { readServerCommand, readServerSettings } from "./settings";

export function createClient(log: vscode.LogOutputChannel): LanguageClient {
  const [command, ...args] = readServerCommand();
  const serverOptions: ServerOptions = { command, args };
  const clientOptions: LanguageClientOptions = {
    documentSelector: [{ scheme: "file" }, { scheme: "untitled" }],
    initializationOptions: { workspaceTrusted: vscode.workspace.isTrusted },
    middleware: {
      workspace: {
        // The server asks when it starts, for each document, and after every change.
        configuration: (params, token, next) =>
          params.items.every((item) => item.section === "infill")
            ? params.items.map((item) =>
                readServerSettings(item.scopeUri ? vscode.Uri.parse(item.scopeUri) : undefined),
              )
            : next(params, token),
      },
    },
    outputChannel: log,
  };
  return new LanguageClient("infill-ls", "infill-ls", serverOptions, clientOptions);
}
