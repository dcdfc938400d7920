// Makes the language client: which documents the server sees, what it is told of settings, and
// which of its requests are answered here. Knows nothing of when it starts or ends.

import type { ChildProcess } from "node:child_process";

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  RevealOutputChannelOn,
} from "vscode-languageclient/node";

import { DOCUMENT_SELECTOR } from "./ghostText/where";
import { REWRITE_COMMAND } from "./protocol";
import { readServerSettings } from "./settings";

/** What the extension answers or watches itself. */
export interface ClientParts {
  log: vscode.LogOutputChannel;
  /** Called when the connection was lost, not when the client was stopped. */
  onClosed: () => void;
  provideInlineCompletionItems: NonNullable<Middleware["provideInlineCompletionItems"]>;
}

/** Returns a client, not started, of the server that runs as `child` and speaks on stdio. */
export function createClient(child: ChildProcess, parts: ClientParts): LanguageClient {
  const options: LanguageClientOptions = {
    documentSelector: DOCUMENT_SELECTOR,
    initializationOptions: { workspaceTrusted: vscode.workspace.isTrusted },
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      // Whoever made the client starts another; the client's own restarts know no pause.
      closed: () => {
        parts.onClosed();
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    },
    initializationFailedHandler: () => false,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    middleware: {
      provideInlineCompletionItems: parts.provideInlineCompletionItems,
      // The code action's command opens the same view as ours.
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
  return new QuietClient("infill-ls", "infill-ls", () => Promise.resolve(child), options);
}

/** Writes its errors to the log only: what the user has to know is in the status. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}
