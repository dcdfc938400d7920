// Lets the user choose the model that the engine runs: one on this machine, a folder, or a name to
// fetch. Knows nothing of how a model is run.

import * as vscode from "vscode";

import { runInfill } from "../server/commandLine";
import type { Found } from "../server/find";
import { tellError } from "../server/messages";
import { readModelList } from "./models";

/** A slow line and a large model: a day. */
const LONGEST_FETCH_MS = 86_400_000;

type Choice = vscode.QuickPickItem & { choose: () => Thenable<string | undefined> };

/** Asks which model is to run and has it chosen; the next suggestion comes from it. */
export async function pickModel(found: Extract<Found, { kind: "found" }>): Promise<void> {
  const choice = await vscode.window.showQuickPick(listChoices(found), {
    title: "Model of infill-ls",
    placeHolder: "All editors on this machine share it",
    matchOnDescription: true,
  });
  const name = await choice?.choose();
  if (name !== undefined && name !== "") {
    await useModel(found, name);
  }
}

async function listChoices(found: Extract<Found, { kind: "found" }>): Promise<Choice[]> {
  const { text } = await runInfill(found, ["model", "list"]);
  const known = readModelList(text).map(({ name, description, isChosen }) => ({
    label: `${isChosen ? "$(check)" : "$(blank)"} ${name}`,
    description,
    choose: async () => name,
  }));
  return [
    ...known,
    { label: "$(folder) A folder…", description: "a checkpoint on this machine", choose: askFolder },
    { label: "$(cloud-download) A name…", description: "fetched from Hugging Face", choose: askName },
  ];
}

async function askFolder(): Promise<string | undefined> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: "Folder of a model",
      openLabel: "Use this model",
      canSelectFiles: false,
      canSelectFolders: true,
    })) ?? [];
  return folder?.fsPath;
}

function askName(): Thenable<string | undefined> {
  return vscode.window.showInputBox({
    title: "Name of a model on Hugging Face",
    placeHolder: "owner/name",
    validateInput: (name) =>
      /^\w[\w.-]*\/\w[\w.-]*$/.test(name) ? undefined : "A name looks like owner/name.",
  });
}

async function useModel(found: Extract<Found, { kind: "found" }>, name: string): Promise<void> {
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: `Choosing ${name}`,
      // A model that has to be fetched can have tens of gigabytes.
      cancellable: true,
    },
    async (_progress, token) => {
      const cancelled = new AbortController();
      token.onCancellationRequested(() => cancelled.abort());
      const use = runInfill(found, ["model", "use", name], LONGEST_FETCH_MS, cancelled.signal);
      const ended = await use.catch((error: unknown) => {
        if (cancelled.signal.aborted) {
          return undefined;
        }
        throw error;
      });
      if (ended === undefined) {
        return; // the model chosen before stays
      }
      const { text, hasFailed } = ended;
      const last = text.trim().split(/\r?\n/).at(-1) ?? "";
      if (hasFailed) {
        void tellError(last.replace(/^infill-ls: /, ""), {
          "Other model…": "infill.selectModel",
          "Show log": "infill.showLog",
        });
      } else {
        vscode.window.setStatusBarMessage(`infill-ls: ${name} is chosen.`, 5000);
      }
    },
  );
}
