// Asks the server for one suggestion and lets it grow with each update. Knows nothing of editors
// beyond the protocol, nor of when something is shown.

import type { CancellationToken } from "vscode";
import type { InlineCompletionItem, InlineCompletionParams } from "vscode-languageclient";

import { STREAM, type StreamAnswer, type StreamParams, type StreamUpdate, UPDATE } from "../protocol";
import type { Server } from "../server";
import type { Suggestion } from "./shown";

/** Why nothing was offered, as the server says. */
export interface Withheld {
  /** A code, such as "excluded". */
  reason: string;
  /** The same as a sentence for the user. */
  message: string;
}

export interface Ending {
  item: InlineCompletionItem | undefined;
  /** What tells the user something; undefined where the editor itself took the question back. */
  withheld: Withheld | undefined;
}

/** Reasons that say something of the questions and nothing of the text. */
const TAKEN_BACK = new Set(["superseded", "cancelled", "text_changed"]);

export class SuggestionStream {
  private readonly running = new Map<string, (update: StreamUpdate) => void>();
  private numAsked = 0;

  constructor(private readonly server: Server) {
    server.onNotification<StreamUpdate>(UPDATE, (update) =>
      this.running.get(String(update.token))?.(update),
    );
  }

  /**
   * Asks, and lets `suggestion` grow until it is finished; it always is in the end.
   * Without a suggestion only the answer counts, as for one that extends an item of the menu.
   * @returns how it ended. A failure ends as nothing: it shows in the status.
   */
  async ask(
    params: InlineCompletionParams,
    suggestion: Suggestion | undefined,
    token: CancellationToken,
  ): Promise<Ending> {
    this.numAsked += 1;
    const streamToken = `ghost-${this.numAsked}`;
    let last: StreamUpdate | undefined;
    this.running.set(streamToken, (update) => {
      if (update.done) {
        last = update;
      } else if (suggestion !== undefined && update.version === suggestion.place.version) {
        suggestion.extend(update.stable ?? "");
      }
    });
    let item: InlineCompletionItem | undefined;
    try {
      const order: StreamParams = { ...params, token: streamToken };
      const answer = await this.server.request<StreamAnswer>(STREAM, order, token);
      item = (Array.isArray(answer) ? answer : answer?.items)?.[0];
    } catch {
      // Cancelled, or the server ended: what is known so far stays right.
    } finally {
      this.running.delete(streamToken);
      // An answer of nothing takes back nothing: what was stable stays right.
      suggestion?.finish(item === undefined ? undefined : textAt(item, params));
    }
    return { item, withheld: withheldIn(last) };
  }
}

function withheldIn(last: StreamUpdate | undefined): Withheld | undefined {
  const { reason, message } = last ?? {};
  return reason && message && !TAKEN_BACK.has(reason) ? { reason, message } : undefined;
}

/** The part of an item that goes in at the cursor; undefined when the item replaces other text. */
function textAt(item: InlineCompletionItem, params: InlineCompletionParams): string | undefined {
  const { insertText, range } = item;
  if (typeof insertText !== "string") {
    return undefined;
  }
  const { line, character } = params.position;
  if (range === undefined) {
    return insertText;
  }
  const isBeforeCursor = range.start.line === line && range.end.line === line;
  if (!isBeforeCursor || range.end.character !== character) {
    return undefined;
  }
  // The item repeats what stands between the range's start and the cursor.
  return insertText.slice(character - range.start.character);
}
