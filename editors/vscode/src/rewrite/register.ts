// Registers what rewriting a selection needs: commands, and which session each of them is about.
// Knows nothing of how a session runs.

import * as vscode from "vscode";

import { REWRITE_PREVIEW, type RewritePreview } from "../protocol";
import type { Server } from "../server";
import { askInstruction } from "./askInstruction";
import { DiffDocuments, originalOf } from "./diffDocuments";
import { NotRewritable, type Target, targetOf } from "./order";
import { RewriteSession } from "./session";
import { createController } from "./thread";

/** For the keys of package.json: the active document has a rewrite. */
const ACTIVE_KEY = "infill.rewriteActive";

export function registerRewrite(context: vscode.ExtensionContext, server: Server): void {
  const rewrites = new Rewrites(context.globalState, server);
  const onSession =
    (act: (session: RewriteSession) => unknown) =>
    (argument: unknown): Promise<void> =>
      orTell(async () => {
        await act(rewrites.sessionOf(argument));
      });
  context.subscriptions.push(
    rewrites,
    vscode.commands.registerCommand("infill.rewrite", (argument: unknown) =>
      orTell(() => rewrites.begin(argument)),
    ),
    vscode.commands.registerCommand(
      "infill.rewrite.accept",
      onSession((session) => rewrites.accept(session)),
    ),
    vscode.commands.registerCommand(
      "infill.rewrite.discard",
      onSession((session) => session.end()),
    ),
    vscode.commands.registerCommand(
      "infill.rewrite.retry",
      onSession((session) => session.retry()),
    ),
    vscode.commands.registerCommand(
      "infill.rewrite.showDiff",
      onSession((session) => rewrites.showDiff(session)),
    ),
  );
}

/** The rewrites of all documents, one for each at most. */
class Rewrites implements vscode.Disposable {
  private readonly sessions = new Map<string, RewriteSession>();
  private readonly controller = createController();
  private readonly subscriptions: vscode.Disposable[];
  private readonly diffs = new DiffDocuments((uri) => this.sessions.get(uri.toString())?.rewrittenText());

  constructor(
    private readonly kept: vscode.Memento,
    private readonly server: Server,
  ) {
    this.subscriptions = [
      this.controller,
      this.diffs,
      server.onNotification<RewritePreview>(REWRITE_PREVIEW, (preview) =>
        this.sessions.get(preview.uri)?.preview(preview),
      ),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) {
          this.sessions.get(document.uri.toString())?.documentChanged(contentChanges);
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.setActiveKey()),
      vscode.window.onDidChangeVisibleTextEditors(() => {
        for (const session of this.sessions.values()) {
          session.drawMarks();
        }
      }),
      vscode.window.tabGroups.onDidChangeTabs(() => this.endClosed()),
    ];
  }

  /** Asks for the instruction and rewrites; what runs in the document is ended. */
  async begin(argument: unknown): Promise<void> {
    const target = await targetOf(argument);
    const { document, range } = target;
    const { version } = document;
    const instruction = await askInstruction(this.kept);
    if (instruction === undefined) {
      return;
    }
    if (document.isClosed || document.version !== version) {
      throw new NotRewritable("The document has changed since; select again.");
    }
    const key = document.uri.toString();
    this.sessions.get(key)?.end();
    const session = this.newSession({ document, range }, instruction);
    this.sessions.set(key, session);
    this.setActiveKey();
    if (vscode.workspace.getConfiguration("comments", document).get("visible") === false) {
      // The user shows no boxes between lines.
      await this.showDiff(session);
    }
    await session.run();
  }

  /** The session that a command is about: a box, an address, or the active editor's. */
  sessionOf(argument: unknown): RewriteSession {
    const named = [...this.sessions.values()].find((session) => session.owns(argument));
    const uri =
      typeof argument === "string"
        ? vscode.Uri.parse(argument)
        : argument instanceof vscode.Uri
          ? argument
          : vscode.window.activeTextEditor?.document.uri;
    const session = named ?? (uri && this.sessions.get(originalOf(uri).toString()));
    if (!session) {
      throw new NotRewritable("Nothing is being rewritten in this document.");
    }
    return session;
  }

  async accept(session: RewriteSession): Promise<void> {
    if (session.phase === "offered") {
      await this.diffs.close(session.document.uri);
    }
    await session.accept();
  }

  async showDiff(session: RewriteSession): Promise<void> {
    await this.diffs.show(session.document, session.start);
  }

  dispose(): void {
    for (const session of this.sessions.values()) {
      session.end();
    }
    for (const subscription of this.subscriptions) {
      subscription.dispose();
    }
  }

  private newSession(target: Target, instruction: string): RewriteSession {
    const { uri } = target.document;
    const session = new RewriteSession(target, instruction, {
      server: this.server,
      controller: this.controller,
      onDidChangeText: () => this.diffs.refresh(uri),
      onDidEnd: (error) => {
        if (this.sessions.get(uri.toString()) === session) {
          this.sessions.delete(uri.toString());
        }
        this.setActiveKey();
        void this.diffs.close(uri);
        if (error) {
          tell(error);
        }
      },
    });
    return session;
  }

  /** Ends what no tab shows any more. */
  private endClosed(): void {
    const shown = new Set(
      vscode.window.tabGroups.all
        .flatMap((group) => group.tabs)
        .flatMap(({ input }) =>
          input instanceof vscode.TabInputText
            ? [input.uri.toString()]
            : input instanceof vscode.TabInputTextDiff
              ? [input.original.toString(), input.modified.toString()]
              : [],
        ),
    );
    for (const [key, session] of this.sessions) {
      if (!shown.has(key)) {
        session.end();
      }
    }
  }

  private setActiveKey(): void {
    const uri = vscode.window.activeTextEditor?.document.uri;
    const isActive = uri !== undefined && this.sessions.has(originalOf(uri).toString());
    void vscode.commands.executeCommand("setContext", ACTIVE_KEY, isActive);
  }
}

async function orTell(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
  }
}

/** One notification, never a dialogue. */
function tell(message: string): void {
  void vscode.window.showWarningMessage(`infill-ls: ${message}`);
}
