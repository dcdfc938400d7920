// Asks what a rewrite is to do, offering what was asked before. Knows nothing of who follows it.

import * as vscode from "vscode";

import { readHistory, withInstruction } from "./instructionHistory";

const KEY = "infill.rewriteInstructions";

interface Choice extends vscode.QuickPickItem {
  instruction: string;
}

const REMOVE: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("close"),
  tooltip: "Remove from the history",
};

/** Returns the instruction, "" for none; `undefined` when the user thought better of it. */
export function askInstruction(kept: vscode.Memento): Promise<string | undefined> {
  const picker = vscode.window.createQuickPick<Choice>();
  picker.title = "Rewrite the selection";
  picker.placeholder = "What to change (Enter: rewrite without an instruction)";
  const fill = (): void => {
    const typed = picker.value.trim();
    picker.items = [
      typed
        ? { label: typed, instruction: typed, alwaysShow: true }
        : { label: "Rewrite without an instruction", instruction: "", alwaysShow: true },
      ...readHistory(kept.get(KEY))
        .filter((instruction) => instruction !== typed)
        .map((instruction) => ({
          label: instruction,
          instruction,
          iconPath: new vscode.ThemeIcon("history"),
          buttons: [REMOVE],
        })),
    ];
  };
  fill();
  return new Promise((resolve) => {
    picker.onDidChangeValue(fill);
    picker.onDidTriggerItemButton(async ({ item }) => {
      const rest = readHistory(kept.get(KEY)).filter((one) => one !== item.instruction);
      await kept.update(KEY, rest);
      fill();
    });
    picker.onDidAccept(async () => {
      const instruction = picker.selectedItems[0]?.instruction ?? picker.value.trim();
      await kept.update(KEY, withInstruction(readHistory(kept.get(KEY)), instruction));
      resolve(instruction);
      picker.hide();
    });
    picker.onDidHide(() => {
      resolve(undefined);
      picker.dispose();
    });
    picker.show();
  });
}
