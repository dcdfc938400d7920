// Shows what `infill-ls doctor` says in a document that can only be read: nothing to save, and nothing
// is suggested in it. Knows nothing of what is checked.

import * as vscode from "vscode";

import { runInfill } from "../server/commandLine";
import { commandLine, type Found } from "../server/find";

const REPORT = vscode.Uri.parse("infill-report:infill-ls doctor.txt");

export class Doctor implements vscode.TextDocumentContentProvider {
  private report = "";
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;

  constructor(context: vscode.ExtensionContext) {
    context.subscriptions.push(
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(REPORT.scheme, this),
    );
  }

  provideTextDocumentContent(): string {
    return this.report;
  }

  /** Runs the check, which also tries the engine, and opens its report. */
  async show(found: Extract<Found, { kind: "found" }>): Promise<void> {
    const { text } = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: "infill-ls doctor" },
      () => runInfill(found, ["doctor"]),
    );
    const extension = vscode.extensions.getExtension("infill-ls.infill-ls");
    this.report = [
      `$ ${commandLine(found.command).join(" ")} doctor`,
      `VS Code ${vscode.version}, extension ${String(extension?.packageJSON?.version ?? "?")}, ` +
        `server from ${WORDS_FOR[found.from]}`,
      "",
      text,
    ].join("\n");
    // A report that is open already shows the new text.
    this.changed.fire(REPORT);
    const document = await vscode.workspace.openTextDocument(REPORT);
    await vscode.window.showTextDocument(document, { preview: true });
  }
}

const WORDS_FOR = {
  setting: "the setting infill.server.command",
  private: "this extension's installation",
  path: "the PATH",
} as const;
