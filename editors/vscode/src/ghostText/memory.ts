// The latest suggestions of each document, so that typing one, correcting a wrong key and accepting
// a part of it are answered without asking the server. Knows nothing of VS Code or of the server.

import type { Rest } from "./autoClosed";
import type { Change, Suggestion } from "./shown";

/** Kept per document: a wrong key and its correction lie a few apart. */
const NUM_KEPT = 4;

export interface Found {
  suggestion: Suggestion;
  rest: Rest;
}

export class SuggestionMemory {
  /** Newest first. */
  private readonly kept = new Map<string, Suggestion[]>();

  /** @param onDrop told of each suggestion that is kept no longer. */
  constructor(private readonly onDrop: (suggestion: Suggestion) => void) {}

  add(suggestion: Suggestion): void {
    const { uri } = suggestion.place;
    const all = [suggestion, ...(this.kept.get(uri) ?? [])];
    this.kept.set(uri, all.slice(0, NUM_KEPT));
    all.slice(NUM_KEPT).forEach(this.onDrop);
  }

  /**
   * Takes note of a document's changes, which lead to `version`.
   * @returns the length of the part of a shown suggestion that they accepted, 0 for none.
   */
  change(uri: string, version: number, changes: readonly Change[]): number {
    const all = this.kept.get(uri) ?? [];
    const shown = all.find((suggestion) => suggestion.wasShown);
    const numAccepted = shown?.lengthAcceptedBy(changes) ?? 0;
    this.keepOnly(uri, (suggestion) => suggestion.follow(version, changes));
    return numAccepted;
  }

  /**
   * The newest suggestion that goes on at the cursor: something of it is left, or still to come.
   * Who asks by hand wants what there is, not what was sure enough to be shown unasked: then only
   * what was asked for by hand counts.
   */
  find(uri: string, version: number, cursorOffset: number, isInvoked: boolean): Found | undefined {
    for (const suggestion of this.kept.get(uri) ?? []) {
      if (isInvoked && !suggestion.isInvoked) {
        continue;
      }
      const rest = suggestion.restAt(version, cursorOffset);
      if (rest !== undefined && (rest.text !== "" || isToGoOn(suggestion))) {
        return { suggestion, rest };
      }
    }
    return undefined;
  }

  drop(suggestion: Suggestion): void {
    this.keepOnly(suggestion.place.uri, (other) => other !== suggestion);
  }

  forget(uri: string): void {
    this.keepOnly(uri, () => false);
  }

  clear(): void {
    for (const uri of [...this.kept.keys()]) {
      this.forget(uri);
    }
  }

  private keepOnly(uri: string, isKept: (suggestion: Suggestion) => boolean): void {
    const all = this.kept.get(uri) ?? [];
    // Each is asked exactly once: asking also moves it on.
    const [kept, dropped] = [[] as Suggestion[], [] as Suggestion[]];
    for (const suggestion of all) {
      (isKept(suggestion) ? kept : dropped).push(suggestion);
    }
    if (kept.length > 0) {
      this.kept.set(uri, kept);
    } else {
      this.kept.delete(uri);
    }
    dropped.forEach(this.onDrop);
  }
}

/** All that is known of it was taken, and more is coming. */
function isToGoOn(suggestion: Suggestion): boolean {
  return suggestion.text !== "" && !suggestion.isFinished;
}
