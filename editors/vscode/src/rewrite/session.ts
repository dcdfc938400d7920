// One rewrite of one selection: asks the server, shows what comes, ends in one edit or in none.
// Knows nothing of commands, keys or other rewrites.

import * as vscode from "vscode";

import {
  CANCEL_REWRITE_COMMAND,
  EXECUTE_COMMAND,
  REWRITE_COMMAND,
  type RewriteAnswer,
  type RewriteOrder,
  type RewritePreview,
} from "../protocol";
import type { Server } from "../server";
import { actionsIn } from "./actions";
import { rewriteMarkdown } from "./diffMarkdown";
import { isSameText, type LineEnding, withLineEnding } from "./lineEndings";
import type { Target } from "./order";
import { Marks } from "./marks";
import { answered, BEGUN, previewed, type RewriteState } from "./rewriteState";
import { RewriteThread } from "./thread";
import { Throttle } from "./throttle";
import { endOfText, moveRange } from "./trackedRange";

/** Ten pictures a second are enough to see a text converge. */
const SHOW_EVERY_MS = 100;
/** Room for a box in lines, below its selection. */
const NUM_LINES_FOR_BOX = 12;
const MAX_SEED = 2 ** 31 - 1;

/** What a session needs of the one who keeps it. */
export interface Surroundings {
  server: Server;
  controller: vscode.CommentController;
  /** Called after what `rewrittenText` returns has changed. */
  onDidChangeText(): void;
  /** Called once, when the session is over; `error` is for the user. */
  onDidEnd(error?: string): void;
}

export class RewriteSession {
  readonly document: vscode.TextDocument;
  private state: RewriteState = BEGUN;
  private range: vscode.Range;
  private readonly oldText: string;
  private readonly thread: RewriteThread;
  private readonly marks: Marks;
  private readonly show = new Throttle<RewriteState>(SHOW_EVERY_MS, (state) => this.draw(state));
  private numRetries = 0;
  private request: Promise<void> | undefined;
  private isOver = false;
  private isApplying = false;

  constructor(
    target: Target,
    private readonly instruction: string,
    private readonly around: Surroundings,
  ) {
    this.document = target.document;
    this.range = target.range;
    this.oldText = this.document.getText(this.range);
    const label = instruction ? `Rewrite: ${instruction}` : "Rewrite";
    this.thread = new RewriteThread(around.controller, this.document.uri, this.range, label);
    this.marks = new Marks(this.document);
    this.draw(this.state);
    this.revealBox();
  }

  /** Where the new text begins, in the document and in what it becomes. */
  get start(): vscode.Position {
    return this.range.start;
  }

  get phase(): RewriteState["phase"] {
    return this.state.phase;
  }

  /** Asks the server; returns when it has answered and the answer is shown. Never throws. */
  run(): Promise<void> {
    this.request = this.ask();
    return this.request;
  }

  /** Stops what runs and asks again, with a seed that was not used before. */
  async retry(): Promise<void> {
    await this.stopRequest();
    if (!this.isOver) {
      this.numRetries += 1;
      await this.run();
    }
  }

  /**
   * Puts the new text into the document, as one step of undo, and ends the session.
   * @throws Error for the user when there is nothing to put in, or the editor takes no edit.
   */
  async accept(): Promise<void> {
    const { state } = this;
    if (this.isOver || state.phase !== "offered") {
      throw new Error("There is no rewrite to accept yet.");
    }
    if (!isSameText(this.document.getText(this.range), this.oldText)) {
      this.end("The selection was edited, so its rewrite was dropped.");
      return;
    }
    const editor = await this.editorOfDocument();
    const text = withLineEnding(state.text, this.lineEnding);
    const { start } = this.range;
    this.isApplying = true;
    try {
      if (!(await editor.edit((edit) => edit.replace(this.range, text)))) {
        throw new Error("The editor took no edit: the file is read-only there.");
      }
    } finally {
      this.isApplying = false;
    }
    const end = endOfText(start, text);
    const cursor = new vscode.Position(end.line, end.character);
    editor.selection = new vscode.Selection(cursor, cursor);
    this.end();
  }

  /** Stops what runs, takes away what is shown, and leaves the document as it is. */
  end(error?: string): void {
    if (this.isOver) {
      return;
    }
    this.isOver = true;
    void this.stopRequest();
    this.show.cancel();
    this.thread.dispose();
    this.marks.dispose();
    this.around.onDidEnd(error);
  }

  /** Takes a notification about this document. */
  preview(preview: RewritePreview): void {
    if (this.isOver || !this.request) {
      return;
    }
    this.become(previewed(this.state, preview));
  }

  /** Follows what was edited: elsewhere, the selection moves along; inside, the session ends. */
  documentChanged(changes: readonly vscode.TextDocumentContentChangeEvent[]): void {
    if (this.isOver || this.isApplying) {
      return;
    }
    const moved = moveRange(this.range, changes);
    if (!moved) {
      this.end("The selection was edited, so its rewrite was dropped.");
      return;
    }
    const { start, end } = moved;
    this.range = new vscode.Range(start.line, start.character, end.line, end.character);
    this.thread.moveTo(this.range);
    this.around.onDidChangeText();
  }

  /** Draws the marks again, in editors that were not visible before. */
  drawMarks(): void {
    if (!this.isOver) {
      this.marks.show(this.range, this.state.phase === "offered");
    }
  }

  /** The whole document with its selection rewritten, as far as that has come. */
  rewrittenText(): string {
    const text = this.document.getText();
    if (this.state.phase === "nothing" || !this.state.text) {
      return text;
    }
    const start = this.document.offsetAt(this.range.start);
    const end = this.document.offsetAt(this.range.end);
    const middle = withLineEnding(this.state.text, this.lineEnding);
    return text.slice(0, start) + middle + text.slice(end);
  }

  /** Whether a menu was opened on this session's box. */
  owns(thread: unknown): boolean {
    return this.thread.owns(thread);
  }

  private async ask(): Promise<void> {
    this.become(BEGUN);
    this.show.flush();
    try {
      const answer = await this.around.server.request<RewriteAnswer | null>(EXECUTE_COMMAND, {
        command: REWRITE_COMMAND,
        arguments: [this.order()],
      });
      if (!this.isOver) {
        this.become(answered(this.oldText, answer));
        this.show.flush();
      }
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    } finally {
      this.request = undefined;
    }
  }

  private order(): RewriteOrder {
    const order: RewriteOrder = {
      uri: this.document.uri.toString(),
      range: {
        start: { line: this.range.start.line, character: this.range.start.character },
        end: { line: this.range.end.line, character: this.range.end.character },
      },
      instruction: this.instruction,
      version: this.document.version,
      apply: false,
    };
    if (this.numRetries > 0) {
      const settings = vscode.workspace.getConfiguration("infill", this.document);
      order.seed = ((settings.get<number>("seed") ?? 0) + this.numRetries) % MAX_SEED;
    }
    return order;
  }

  /** Ends the request on the server, which answers it within one denoising step. */
  private async stopRequest(): Promise<void> {
    const { request } = this;
    if (!request) {
      return;
    }
    try {
      await this.around.server.request(EXECUTE_COMMAND, {
        command: CANCEL_REWRITE_COMMAND,
        arguments: [this.document.uri.toString()],
      });
    } catch {
      // A server that is gone has stopped.
    }
    await request;
  }

  private become(state: RewriteState): void {
    if (state !== this.state) {
      this.state = state;
      this.show.push(state);
    }
  }

  private draw(state: RewriteState): void {
    const markdown = rewriteMarkdown(this.oldText, state, {
      actions: actionsIn(state.phase, process.platform === "darwin"),
      commandArgument: this.document.uri.toString(),
      isPlain: this.isForScreenReader,
    });
    this.thread.show(markdown, state.phase);
    this.drawMarks();
    this.around.onDidChangeText();
  }

  /** The box is under the last line, which may be the last one visible or below that. */
  private revealBox(): void {
    const { line } = this.range.end;
    const end = new vscode.Range(line, 0, line, 0);
    for (const editor of vscode.window.visibleTextEditors) {
      const lastVisible = editor.visibleRanges.at(-1)?.end.line ?? 0;
      if (editor.document === this.document && lastVisible - line < NUM_LINES_FOR_BOX) {
        editor.revealRange(end, vscode.TextEditorRevealType.InCenter);
      }
    }
  }

  /** A screen reader is read the Markdown as it is written: then it holds no HTML. */
  private get isForScreenReader(): boolean {
    const settings = vscode.workspace.getConfiguration("editor", this.document);
    return settings.get("accessibilitySupport") === "on";
  }

  private get lineEnding(): LineEnding {
    return this.document.eol === vscode.EndOfLine.CRLF ? "\r\n" : "\n";
  }

  /** An editor that takes edits: in a diff the document stands on the side that takes none. */
  private editorOfDocument(): Thenable<vscode.TextEditor> {
    const active = vscode.window.activeTextEditor;
    const isInDiff =
      vscode.window.tabGroups.activeTabGroup.activeTab?.input instanceof vscode.TabInputTextDiff;
    if (active?.document === this.document && !isInDiff) {
      return Promise.resolve(active);
    }
    return vscode.window.showTextDocument(this.document, { preview: false });
  }
}
