// Offers to install the language server where there is none, installs and removes it. Knows nothing
// of how it is run, nor of what an installation consists of.

import { existsSync } from "node:fs";

import * as vscode from "vscode";

import { readOwnSettings } from "../settings";
import { runInfill } from "./commandLine";
import { type Found, findServer } from "./find";
import { InstallCancelled, installServer } from "./install";
import type { ServerLifecycle } from "./lifecycle";
import { tellError } from "./messages";
import { leaveNote, removeServerAndTraces } from "./uninstall";

/** Where this extension installs the server; nothing else of it lies outside of VS Code's own. */
export function privateFolder(context: vscode.ExtensionContext): string {
  return vscode.Uri.joinPath(context.globalStorageUri, "server").fsPath;
}

export class ServerOffer {
  /** Said once per session: who has chosen "Not now" is left in peace. */
  private wasOffered = false;
  private installing: Promise<void> | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly server: ServerLifecycle,
    private readonly log: vscode.LogOutputChannel,
  ) {
    if (existsSync(privateFolder(context))) {
      // By an earlier version of the extension, whose folder had the note.
      leaveNote(context.extensionPath, privateFolder(context));
    }
    context.subscriptions.push(
      vscode.commands.registerCommand("infill.installServer", () => this.install()),
      vscode.commands.registerCommand("infill.removeServer", () => this.remove()),
      vscode.commands.registerCommand("infill.chooseServer", () => chooseServer()),
    );
  }

  /** There is no server to start: says so, and what can be done. */
  onMissing(found: Exclude<Found, { kind: "found" }>): void {
    const isWrong = found.kind === "wrongSetting";
    const message = isWrong
      ? `${found.program}, which the setting infill.server.command names, is no program that can ` +
        "be run. Give its full path, or empty the setting."
      : "The infill-ls language server is not installed.";
    this.server.setState({ state: isWrong ? "error" : "missing", message, percent: null });
    if (this.wasOffered || this.installing !== undefined) {
      return;
    }
    this.wasOffered = true;
    void (isWrong
      ? tellError(message, { "Choose a server…": "infill.chooseServer" })
      : offer(`${message} It runs a model on this machine; nothing leaves it.`));
  }

  /** Installs the server with progress; another call while it runs waits for the same. */
  install(): Promise<void> {
    this.installing ??= this.installNow().finally(() => {
      this.installing = undefined;
    });
    return this.installing;
  }

  private async installNow(): Promise<void> {
    const { python, package: requirement, pipArguments } = readOwnSettings();
    const folder = privateFolder(this.context);
    const before = this.server.uiState;
    try {
      await vscode.window.withProgress(
        {
          location: vscode.ProgressLocation.Notification,
          title: "Installing infill-ls",
          cancellable: true,
        },
        async (progress, token) => {
          const controller = new AbortController();
          token.onCancellationRequested(() => controller.abort());
          const report = (words: string): void => {
            progress.report({ message: words });
            const message = `The language server is being installed: ${words}.`;
            this.server.setState({ state: "installing", message, percent: null });
          };
          // Windows keeps the files of a running program from being replaced.
          await this.stopAll();
          await installServer(
            { folder, python, requirement, pipArguments },
            { report, log: (line) => this.log.info(line), signal: controller.signal },
          );
          leaveNote(this.context.extensionPath, folder);
        },
      );
    } catch (error) {
      this.server.setState(before);
      this.wasOffered = true;
      void this.server.restart();
      if (!(error instanceof InstallCancelled)) {
        const message = error instanceof Error ? error.message : String(error);
        this.log.error(message);
        void tellError(message, {
          Retry: "infill.installServer",
          "Show log": "infill.showLog",
          "Choose a server…": "infill.chooseServer",
        });
      }
      return;
    }
    await this.server.restart();
  }

  /** Ends what runs from the private environment: the server, and the engine that all editors share. */
  private async stopAll(): Promise<void> {
    await this.server.stop();
    const found = findServer([], privateFolder(this.context));
    if (found.kind === "found" && found.from === "private") {
      await runInfill(found, ["engine", "stop"], 20_000).catch((error: unknown) =>
        this.log.warn(String(error)),
      );
    }
  }

  private async remove(): Promise<void> {
    await this.server.stop();
    const wasThere = await removeServerAndTraces(privateFolder(this.context));
    const models =
      "Models that you have fetched stay where Hugging Face keeps them " +
      "(HF_HOME, by default .cache/huggingface in your home folder).";
    void vscode.window.showInformationMessage(
      wasThere
        ? `The language server that this extension had installed is removed. ${models}`
        : `This extension has not installed a language server. ${models}`,
    );
    // Who removes it does not want to be offered it again.
    this.wasOffered = true;
    await this.server.restart();
  }
}

async function offer(message: string): Promise<void> {
  const [install, choose, later] = ["Install", "Choose a server…", "Not now"];
  const chosen = await vscode.window.showInformationMessage(message, install, choose, later);
  if (chosen === install) {
    await vscode.commands.executeCommand("infill.installServer");
  } else if (chosen === choose) {
    await vscode.commands.executeCommand("infill.chooseServer");
  }
}

/** Lets the user pick the program; the change of the setting starts it. */
async function chooseServer(): Promise<void> {
  const [file] =
    (await vscode.window.showOpenDialog({
      title: "Choose the infill-ls program",
      openLabel: "Use this server",
    })) ?? [];
  if (file !== undefined) {
    await vscode.workspace
      .getConfiguration("infill.server")
      .update("command", [file.fsPath], vscode.ConfigurationTarget.Global);
  }
}
