// Answers VS Code when it asks what to suggest: from memory while the user types what is shown,
// else by a stream of the server's, held until it is worth showing. Read `provide` first. Knows
// nothing of how the server is kept up.

import * as vscode from "vscode";
import type { InlineCompletionParams } from "vscode-languageclient";
import type { LanguageClient } from "vscode-languageclient/node";

import { DID_PARTIALLY_ACCEPT, DID_SHOW, type DidPartiallyAcceptParams } from "../protocol";
import type { Server } from "../server";
import type { Rest } from "./autoClosed";
import { HeldAnswer, HOLD_MS } from "./held";
import { extendsSelected, itemAt, itemBesideMenu } from "./items";
import { SuggestionMemory } from "./memory";
import { Suggestion } from "./shown";
import { SuggestionStream, type Withheld } from "./stream";
import { isSilentIn } from "./where";

/** Milliseconds for which a stream goes on that nobody waits for: the next key may need it. */
const GRACE_MS = 150;

type Items = vscode.InlineCompletionItem[] | undefined;

/** What VS Code asks with. */
interface Question {
  document: vscode.TextDocument;
  version: number;
  cursor: vscode.Position;
  context: vscode.InlineCompletionContext;
  token: vscode.CancellationToken;
}

export class GhostText implements vscode.Disposable {
  private readonly cancels = new Map<Suggestion, vscode.CancellationTokenSource>();
  private readonly memory = new SuggestionMemory((suggestion) => this.cancel(suggestion));
  private readonly stream: SuggestionStream;
  private readonly thinkingChanged = new vscode.EventEmitter<boolean>();
  /** Whether somebody waits for a suggestion. */
  readonly onDidChangeThinking = this.thinkingChanged.event;
  private readonly withheldChanged = new vscode.EventEmitter<Withheld | undefined>();
  /** Why nothing was suggested, each time that the server says so; undefined once something is. */
  readonly onDidWithhold = this.withheldChanged.event;
  private numHeld = 0;
  /** Whether the next question is the extension's own, in the user's place. */
  private isOwnQuestion = false;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly server: Server,
    /** The running client; undefined when there is none. */
    private readonly client: () => LanguageClient | undefined,
  ) {
    this.stream = new SuggestionStream(server);
    this.subscriptions = [
      this.thinkingChanged,
      this.withheldChanged,
      vscode.workspace.onDidChangeTextDocument((event) => this.follow(event)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.memory.forget(uri.toString())),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("infill")) {
          this.memory.clear();
        }
      }),
    ];
  }

  /**
   * What to suggest.
   * 1. Nothing where nothing fits.
   * 2. The rest of what is shown, at once.
   * 3. More of what was accepted to its end so far, as soon as there is more.
   * 4. What the server says.
   */
  provide(
    document: vscode.TextDocument,
    cursor: vscode.Position,
    asked: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): vscode.ProviderResult<vscode.InlineCompletionItem[]> {
    const { version } = document;
    const context = this.isOwnQuestion ? { ...asked, triggerKind: AUTOMATIC } : asked;
    this.isOwnQuestion = false;
    const question: Question = { document, version, cursor, context, token };
    const client = this.client();
    // 1. Nothing where nothing fits.
    if (client === undefined || !this.server.isRunning || isSilentIn(document)) {
      return undefined;
    }
    const isInvoked = context.triggerKind === INVOKE;
    const uri = document.uri.toString();
    const offset = document.offsetAt(cursor);
    const found = reusesTyped(document)
      ? this.memory.find(uri, version, offset, isInvoked)
      : undefined;
    if (found !== undefined) {
      const { suggestion, rest } = found;
      // 2. The rest of what is shown, at once.
      if (rest.text !== "" && (suggestion.wasShown || suggestion.isFinished)) {
        const items = this.show(question, suggestion, rest);
        if (items !== undefined) {
          return items;
        }
      } else if (context.selectedCompletionInfo === undefined) {
        // 3. More of what was accepted to its end so far, as soon as there is more.
        return this.hold(question, suggestion).then((items) => items ?? this.askAnew(question));
      }
    }
    // 4. What the server says.
    return this.ask(question, client, isInvoked);
  }

  /** Has VS Code ask as it does after a key, where keys went unanswered and nothing is shown. */
  async askAsWhenTyping(): Promise<void> {
    // Only what is asked by hand makes VS Code ask again at the same place in the same text.
    this.isOwnQuestion = true;
    await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    this.isOwnQuestion = false;
  }

  dispose(): void {
    this.memory.clear();
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private ask(question: Question, client: LanguageClient, isInvoked: boolean): Promise<Items> {
    const { document, version, cursor, context } = question;
    const converter = client.code2ProtocolConverter;
    const params = converter.asInlineCompletionParams(document, cursor, context);
    if (context.selectedCompletionInfo !== undefined) {
      return this.askBesideMenu(question, params, client);
    }
    const cancellation = new vscode.CancellationTokenSource();
    const place = {
      uri: document.uri.toString(),
      version,
      offset: document.offsetAt(cursor),
      lineBefore: document.lineAt(cursor).text.slice(0, cursor.character),
    };
    const suggestion = new Suggestion(place, isInvoked, performance.now());
    this.cancels.set(suggestion, cancellation);
    this.memory.add(suggestion);
    const answer = this.hold(question, suggestion);
    void this.stream.ask(params, suggestion, cancellation.token).then(({ withheld }) => {
      this.cancels.delete(suggestion);
      cancellation.dispose();
      if (suggestion.text === "") {
        this.memory.drop(suggestion);
        if (withheld !== undefined) {
          this.withheldChanged.fire(withheld);
        }
      }
    });
    return answer;
  }

  /** What extends the menu's item is shown as the server has it in the end, or not at all. */
  private async askBesideMenu(
    { document, version, context, token }: Question,
    params: InlineCompletionParams,
    client: LanguageClient,
  ): Promise<Items> {
    const { item } = await this.stream.ask(params, undefined, token);
    if (item === undefined || document.version !== version || token.isCancellationRequested) {
      return undefined;
    }
    const answer = await client.protocol2CodeConverter.asInlineCompletionResult([item], token);
    const items = (answer ?? []).filter((one) => extendsSelected(one, context));
    if (items.length > 0) {
      this.server.notify(DID_SHOW, {});
    }
    return items.length > 0 ? items : undefined;
  }

  private askAnew(question: Question): Promise<Items> {
    const client = this.client();
    const isCurrent =
      !question.token.isCancellationRequested && question.document.version === question.version;
    return client === undefined || !isCurrent
      ? Promise.resolve(undefined)
      : this.ask(question, client, question.context.triggerKind === INVOKE);
  }

  /** Waits until there is something worth showing, or until the editor does not wait any more. */
  private async hold(question: Question, suggestion: Suggestion): Promise<Items> {
    const { document, version, cursor, token } = question;
    const held = new HeldAnswer(HOLD_MS - (performance.now() - suggestion.askedMs));
    const restNow = (): Rest | undefined =>
      suggestion.restAt(version, document.offsetAt(cursor));
    const ended = suggestion.onGrow(() =>
      held.grow(restNow()?.text ?? "", suggestion.isFinished),
    );
    const cancelled = token.onCancellationRequested(() => held.withdraw());
    held.grow(restNow()?.text ?? "", suggestion.isFinished);
    if (token.isCancellationRequested) {
      held.withdraw();
    }
    this.countHeld(1);
    const isWanted = await held.released;
    this.countHeld(-1);
    ended();
    cancelled.dispose();
    if (!isWanted) {
      setTimeout(() => this.cancelUnlessUsed(suggestion), GRACE_MS);
      return undefined;
    }
    const rest = document.version === version ? restNow() : undefined;
    return rest === undefined || rest.text === ""
      ? undefined
      : this.show(question, suggestion, rest);
  }

  private show(question: Question, suggestion: Suggestion, rest: Rest): Items {
    const { document, cursor, context } = question;
    const selected = context.selectedCompletionInfo;
    const item =
      selected === undefined
        ? itemAt(document, cursor, document.positionAt(suggestion.place.offset), rest)
        : itemBesideMenu(document, cursor, rest, selected);
    if (item === undefined) {
      return undefined;
    }
    if (!suggestion.wasShown) {
      suggestion.wasShown = true;
      this.withheldChanged.fire(undefined);
      this.server.notify(DID_SHOW, {});
    }
    return [item];
  }

  private follow({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
    if (contentChanges.length === 0) {
      return;
    }
    const uri = document.uri.toString();
    const acceptedLength = this.memory.change(uri, document.version, contentChanges);
    if (acceptedLength > 0) {
      const params: DidPartiallyAcceptParams = { uri, acceptedLength };
      this.server.notify(DID_PARTIALLY_ACCEPT, params);
    }
  }

  private cancelUnlessUsed(suggestion: Suggestion): void {
    if (!suggestion.wasShown && suggestion.numWaiting === 0 && !suggestion.isFinished) {
      this.memory.drop(suggestion);
    }
  }

  private cancel(suggestion: Suggestion): void {
    this.cancels.get(suggestion)?.cancel();
  }

  private countHeld(step: 1 | -1): void {
    const wasThinking = this.numHeld > 0;
    this.numHeld += step;
    if (this.numHeld > 0 !== wasThinking) {
      this.thinkingChanged.fire(this.numHeld > 0);
    }
  }
}

const { Invoke: INVOKE, Automatic: AUTOMATIC } = vscode.InlineCompletionTriggerKind;

function reusesTyped(document: vscode.TextDocument): boolean {
  return vscode.workspace.getConfiguration("infill", document).get("reuseTyped", true);
}
