// The box under a selection that shows its rewrite: a comment thread, which the stable API lets
// stand between lines without touching the document. Knows nothing of rewriting.

import * as vscode from "vscode";

/** Of the comment controller; the menus of package.json name it. */
const CONTROLLER = "infill-rewrite";

/** Commands that a click in a box may run. */
const COMMANDS = [
  "infill.rewrite.accept",
  "infill.rewrite.discard",
  "infill.rewrite.retry",
  "infill.rewrite.showDiff",
];

/** Makes what the boxes belong to. Nobody can write into it. */
export function createController(): vscode.CommentController {
  return vscode.comments.createCommentController(CONTROLLER, "infill-ls: rewritten selections");
}

export class RewriteThread implements vscode.Disposable {
  private readonly thread: vscode.CommentThread;
  private readonly comment: vscode.Comment = {
    author: { name: "infill-ls" },
    body: "",
    mode: vscode.CommentMode.Preview,
  };

  constructor(
    controller: vscode.CommentController,
    uri: vscode.Uri,
    range: vscode.Range,
    label: string,
  ) {
    this.thread = controller.createCommentThread(uri, range, []);
    this.thread.canReply = false;
    this.thread.label = label;
    // Unresolved threads open the comments panel, where nothing more is to be seen.
    this.thread.state = vscode.CommentThreadState.Resolved;
    this.thread.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
  }

  /** Shows `markdown`; `phase` is what the menus of package.json tell apart. */
  show(markdown: string, phase: string): void {
    const body = new vscode.MarkdownString(markdown, true);
    body.supportHtml = true;
    body.isTrusted = { enabledCommands: COMMANDS };
    // The same object: what VS Code has drawn is updated, not drawn anew.
    this.comment.body = body;
    this.thread.contextValue = phase;
    this.thread.comments = [this.comment];
  }

  /** Puts the box under another place, where its lines are now. */
  moveTo(range: vscode.Range): void {
    if (!this.thread.range?.isEqual(range)) {
      this.thread.range = range;
    }
  }

  /** Whether a menu's command was called for this box. */
  owns(thread: unknown): boolean {
    return thread === this.thread;
  }

  dispose(): void {
    this.thread.dispose();
  }
}
