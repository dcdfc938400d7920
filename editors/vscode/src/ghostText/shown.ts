// One suggestion and how it stands to its document: what of it has been typed or accepted, and what
// is left. Follows the document by its changes alone. Knows nothing of VS Code, of requests or of
// when something is shown.
//
// All offsets and lengths are UTF-16 code units.

import { besideAutoClosed, type Rest } from "./autoClosed";

/** Where a suggestion was asked for. */
export interface Place {
  uri: string;
  /** Version of the document then. */
  version: number;
  /** Of the cursor, from the document's start. */
  offset: number;
  /** What stood before the cursor on its line. */
  lineBefore: string;
}

/** One replacement in a document, with the document's own line ends. */
export interface Change {
  rangeOffset: number;
  rangeLength: number;
  text: string;
}

export class Suggestion {
  /** What stands in the gap by now: typed, accepted, or closed by the editor. */
  private gap = "";
  private known = "";
  private finished = false;
  private version: number;
  private readonly listeners = new Set<() => void>();
  /** Whether any of it was handed to the editor. */
  wasShown = false;

  constructor(
    readonly place: Place,
    /** Whether the user asked for it by hand. */
    readonly isInvoked: boolean,
    /** When it was asked for, in milliseconds from any beginning. */
    readonly askedMs = 0,
  ) {
    this.version = place.version;
  }

  /** What is known of the text by now, with LF line ends. Only ever extended. */
  get text(): string {
    return this.known;
  }

  /** Whether nothing more will become known. */
  get isFinished(): boolean {
    return this.finished;
  }

  /** Takes `newest`, any line ends, as what is known if it goes on from what was known before. */
  extend(newest: string): void {
    const text = withLf(newest);
    if (!this.finished && text.length > this.known.length && text.startsWith(this.known)) {
      this.known = text;
      this.tell();
    }
  }

  /** Takes the last word; without `text` what is known stays all there is. */
  finish(last?: string): void {
    if (this.finished) {
      return;
    }
    const text = last === undefined ? undefined : withLf(last);
    if (text?.startsWith(this.known)) {
      this.known = text;
    }
    this.finished = true;
    this.tell();
  }

  /** Calls `listener` whenever more is known, and once nothing more will be. Returns the end of it. */
  onGrow(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** How many wait for it to grow. */
  get numWaiting(): number {
    return this.listeners.size;
  }

  /**
   * Follows the document to `version`.
   * @returns whether the suggestion still belongs there: false once anything outside of its gap
   *   changed, or when a version was missed.
   */
  follow(version: number, changes: readonly Change[]): boolean {
    if (changes.length > 0 && version <= this.version) {
      return false;
    }
    this.version = version;
    return changes.every((change) => this.splice(change));
  }

  /**
   * What is left at the cursor. The text is "" when all that is known has been typed.
   * @returns undefined when the cursor stands elsewhere or something else was typed.
   */
  restAt(version: number, cursorOffset: number): Rest | undefined {
    const numTyped = cursorOffset - this.place.offset;
    if (version !== this.version || numTyped < 0 || numTyped > this.gap.length) {
      return undefined;
    }
    const typed = withLf(this.gap.slice(0, numTyped));
    const after = withLf(this.gap.slice(numTyped));
    if (!this.known.startsWith(typed)) {
      return undefined;
    }
    return besideAutoClosed(this.known.slice(typed.length), after, this.finished);
  }

  /**
   * How much of the text these changes take over at once, as accepting a word or a line does; to be
   * asked before `follow`. 0 when they are typing, or take all that is known.
   */
  lengthAcceptedBy(changes: readonly Change[]): number {
    const [change, ...others] = changes;
    if (change === undefined || others.length > 0 || change.rangeLength > 0) {
      return 0;
    }
    const inserted = withLf(change.text);
    const rest = this.restAt(this.version, change.rangeOffset);
    const isPart = rest?.text.startsWith(inserted) && inserted.length < rest.text.length;
    // One key can insert a pair of brackets, or a line's end with the next line's indentation.
    return isPart && inserted.length > 1 && /\w/.test(inserted) ? inserted.length : 0;
  }

  private splice(change: Change): boolean {
    let start = change.rangeOffset - this.place.offset;
    let { rangeLength, text } = change;
    if (start < 0) {
      // Accepting replaces the line's beginning by itself, and more.
      const kept = this.place.lineBefore.slice(start);
      if (-start > this.place.lineBefore.length || rangeLength < -start || !text.startsWith(kept)) {
        return false;
      }
      rangeLength += start;
      text = text.slice(-start);
      start = 0;
    }
    if (start + rangeLength > this.gap.length) {
      return false;
    }
    this.gap = this.gap.slice(0, start) + text + this.gap.slice(start + rangeLength);
    return true;
  }

  private tell(): void {
    for (const listener of [...this.listeners]) {
      listener();
    }
  }
}

function withLf(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}
