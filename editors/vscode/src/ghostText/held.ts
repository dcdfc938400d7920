// Decides when an answer is given to the editor. VS Code can not replace a suggestion that it shows
// without taking it away for some frames, so the first answer is held until it is worth showing;
// see decision 0029. Knows nothing of VS Code or of where the text comes from.

/** Milliseconds after which a beginning is shown, if it is worth it. */
export const HOLD_MS = 350;

const MIN_CHARS = 8;

/** Whether the beginning of a suggestion tells enough to be shown without the rest. */
export function isWorthShowing(text: string): boolean {
  return /\S[^\n]*\n/.test(text) || text.trim().length >= MIN_CHARS;
}

/** The clock, for tests to stand in for. */
export interface Timers {
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: never): void;
}

export class HeldAnswer {
  /**
   * Resolves once: true when what is there is to be given to the editor, "" for nothing included;
   * false when the editor does not wait any more.
   */
  readonly released: Promise<boolean>;
  private release: (isWanted: boolean) => void = () => undefined;
  private isOverdue = false;
  private text = "";
  private readonly timer: unknown;

  /** @param holdMs how long only a finished text is given. */
  constructor(
    holdMs = HOLD_MS,
    private readonly timers: Timers = globalThis,
  ) {
    this.released = new Promise((resolve) => {
      this.release = (isWanted) => {
        this.timers.clearTimeout(this.timer as never);
        resolve(isWanted);
      };
    });
    this.timer = timers.setTimeout(() => {
      this.isOverdue = true;
      this.look();
    }, holdMs);
  }

  /** Takes the newest text. */
  grow(text: string, isFinished: boolean): void {
    this.text = text;
    if (isFinished) {
      this.release(true);
    } else {
      this.look();
    }
  }

  /** The editor does not wait any more. */
  withdraw(): void {
    this.release(false);
  }

  private look(): void {
    if (this.isOverdue && isWorthShowing(this.text)) {
      this.release(true);
    }
  }
}
