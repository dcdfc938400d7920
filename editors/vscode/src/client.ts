// Makes the language client: which documents the server sees, what it is told of settings, and
// which of its requests are answered here. Knows nothing of when it starts or ends.

import * as vscode from "vscode";
import {
  type ErrorHandler,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  type ServerOptions,
} from "vscode-languageclient/node";

import { REWRITE_COMMAND } from "./protocol";
import { readServerSettings } from "./settings";

/** What the extension answers or watches itself. */
export interface ClientParts {
  log: vscode.LogOutputChannel;
  errorHandler: ErrorHandler;
  inlineCompletion: Pick<Middleware, "provideInlineCompletionItems">;
}

/** Returns a client, not started, of the server that `command` starts on stdio. */
export function createClient(command: readonly string[], parts: ClientParts): LanguageClient {
  const [program = "infill-ls", ...args] = command;
  const serverOptions: ServerOptions = { command: program, args };
  const clientOptions: LanguageClientOptions = {
    documentSelector: [
      { scheme: "file" },
      { scheme: "untitled" },
      { scheme: "vscode-notebook-cell" },
    ],
    initializationOptions: { workspaceTrusted: vscode.workspace.isTrusted },
    errorHandler: parts.errorHandler,
    initializationFailedHandler: () => false,
    middleware: {
      ...parts.inlineCompletion,
      // The code action's command opens the same UI as ours.
      executeCommand: (command, args, next) =>
        command === REWRITE_COMMAND
          ? vscode.commands.executeCommand("infill.rewrite", ...args)
          : next(command, args),
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
    outputChannel: parts.log,
  };
  return new LanguageClient("infill-ls", "infill-ls", serverOptions, clientOptions);
}
