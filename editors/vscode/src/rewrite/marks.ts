// Marks the selection that is being rewritten, in every editor that shows it: dimmed once there is
// a text to replace it. Knows nothing of what it becomes.

import * as vscode from "vscode";

// VS Code paints the background of a box's range itself, over any of ours.
const RUNNING: vscode.DecorationRenderOptions = {
  overviewRulerColor: new vscode.ThemeColor("progressBar.background"),
};
const REPLACED: vscode.DecorationRenderOptions = {
  overviewRulerColor: new vscode.ThemeColor("diffEditorOverview.removedForeground"),
};

export class Marks implements vscode.Disposable {
  private readonly running = vscode.window.createTextEditorDecorationType(RUNNING);
  private readonly replaced = vscode.window.createTextEditorDecorationType(
    // Who needs contrast needs it here too.
    isHighContrast() ? REPLACED : { ...REPLACED, opacity: "0.5" },
  );

  constructor(private readonly document: vscode.TextDocument) {}

  /** Marks `range` as one that is being read, or that a new text is there for. */
  show(range: vscode.Range, isReplaced: boolean): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document === this.document) {
        editor.setDecorations(this.running, isReplaced ? [] : [range]);
        editor.setDecorations(this.replaced, isReplaced ? [range] : []);
      }
    }
  }

  dispose(): void {
    this.running.dispose();
    this.replaced.dispose();
  }
}

function isHighContrast(): boolean {
  const { kind } = vscode.window.activeColorTheme;
  return (
    kind === vscode.ColorThemeKind.HighContrast || kind === vscode.ColorThemeKind.HighContrastLight
  );
}
