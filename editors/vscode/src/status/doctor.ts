// Shows what `infill-ls doctor` says in a document, beside which the user can go on working. Knows
// nothing of what is checked.

import * as vscode from "vscode";

import { runInfill } from "../server/commandLine";
import { commandLine, type Found } from "../server/find";

/** Runs the check, which also tries the engine, and opens its report. */
export async function showDoctor(found: Extract<Found, { kind: "found" }>): Promise<void> {
  const { text } = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: "infill-ls doctor" },
    () => runInfill(found, ["doctor"]),
  );
  const extension = vscode.extensions.getExtension("infill-ls.infill-ls");
  const heading = [
    `$ ${commandLine(found.command).join(" ")} doctor`,
    `VS Code ${vscode.version}, extension ${String(extension?.packageJSON?.version ?? "?")}, ` +
      `server from ${WORDS_FOR[found.from]}`,
  ];
  const document = await vscode.workspace.openTextDocument({
    language: "plaintext",
    content: [...heading, "", text].join("\n"),
  });
  await vscode.window.showTextDocument(document, { preview: true });
}

const WORDS_FOR = {
  setting: "the setting infill.server.command",
  private: "this extension's installation",
  path: "the PATH",
} as const;
