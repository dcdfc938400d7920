// The menu behind the status bar item, and the commands in it that belong to no other part. Knows
// nothing of how each of them does its work.

import * as vscode from "vscode";

import type { Found } from "../server/find";
import type { ServerLifecycle } from "../server/lifecycle";
import { tellError } from "../server/messages";
import { Doctor } from "./doctor";
import { pickModel } from "./modelPicker";
import { isEnabled, isLanguageEnabled, toggleHere, toggleLanguage } from "./switchOff";

type Entry = vscode.QuickPickItem & { command?: string };

export function registerMenu(
  context: vscode.ExtensionContext,
  server: ServerLifecycle,
  find: () => Found,
): void {
  const register = (id: string, run: () => unknown): void => {
    context.subscriptions.push(vscode.commands.registerCommand(id, run));
  };
  register("infill.menu", () => showMenu(server));
  register("infill.toggleHere", () => toggleHere(activeDocument()));
  register("infill.toggleLanguage", async () => {
    const document = activeDocument();
    if (document !== undefined) {
      await toggleLanguage(document);
    }
  });
  const doctor = new Doctor(context);
  register("infill.doctor", () => withServer(find, (found) => doctor.show(found)));
  register("infill.selectModel", () => withServer(find, pickModel));
  register("infill.openSettings", () =>
    vscode.commands.executeCommand("workbench.action.openSettings", "@ext:infill-ls.infill-ls"),
  );
}

async function showMenu(server: ServerLifecycle): Promise<void> {
  const { message, state } = server.uiState;
  const entries = state === "missing" ? missingEntries() : entriesFor(activeDocument());
  const chosen = await vscode.window.showQuickPick(entries, {
    title: "infill-ls",
    placeHolder: message,
  });
  if (chosen?.command !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

function entriesFor(document: vscode.TextDocument | undefined): Entry[] {
  const language = document?.languageId;
  const offOrOn = (isOn: boolean, where: string): string =>
    isOn ? `$(circle-slash) Switch off ${where}` : `$(check) Switch on ${where}`;
  return [
    { label: offOrOn(isEnabled(document), placeOf(document)), command: "infill.toggleHere" },
    ...(document === undefined
      ? []
      : [
          {
            label: offOrOn(isLanguageEnabled(document), `for ${language}`),
            command: "infill.toggleLanguage",
          },
        ]),
    { label: "$(edit) Rewrite the selection…", command: "infill.rewrite" },
    { label: "$(eye) Show the denoising view", command: "infill.showDenoising" },
    separator("engine"),
    { label: "$(package) Select the model…", command: "infill.selectModel" },
    { label: "$(pulse) Check the installation (doctor)", command: "infill.doctor" },
    { label: "$(debug-restart) Restart the language server", command: "infill.restart" },
    separator("extension"),
    { label: "$(output) Show the log", command: "infill.showLog" },
    { label: "$(gear) Settings", command: "infill.openSettings" },
  ];
}

function missingEntries(): Entry[] {
  return [
    { label: "$(cloud-download) Install the language server", command: "infill.installServer" },
    { label: "$(folder-opened) Choose a server…", command: "infill.chooseServer" },
    { label: "$(output) Show the log", command: "infill.showLog" },
    { label: "$(gear) Settings", command: "infill.openSettings" },
  ];
}

function separator(label: string): Entry {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

function placeOf(document: vscode.TextDocument | undefined): string {
  const folder = document && vscode.workspace.getWorkspaceFolder(document.uri);
  return folder === undefined ? "here" : `in ${folder.name}`;
}

function activeDocument(): vscode.TextDocument | undefined {
  return vscode.window.activeTextEditor?.document;
}

/** Runs what needs infill-ls as a program; says so where there is none, or it can not be run. */
async function withServer(
  find: () => Found,
  run: (found: Extract<Found, { kind: "found" }>) => Promise<void>,
): Promise<void> {
  const found = find();
  if (found.kind !== "found") {
    await tellError("There is no infill-ls to ask. Install it or choose one.", {
      Install: "infill.installServer",
      "Choose a server…": "infill.chooseServer",
    });
    return;
  }
  try {
    await run(found);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    await tellError(`infill-ls could not be run: ${why}`, { "Show log": "infill.showLog" });
  }
}
