// Shows the newest of many values, at most one per interval. Knows nothing of what they are.

/** The clock and timers that the throttle runs on; a test has its own. */
export interface Timers {
  now(): number;
  after(delayMs: number, run: () => void): () => void;
}

export const REAL_TIMERS: Timers = {
  now: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Calls `show` at once for the first value, then with the newest one every `intervalMs`. */
export class Throttle<T> {
  private shownAtMs = -Infinity;
  private waiting: { value: T } | undefined;
  private stopTimer: (() => void) | undefined;

  constructor(
    private readonly intervalMs: number,
    private readonly show: (value: T) => void,
    private readonly timers: Timers = REAL_TIMERS,
  ) {}

  /** Shows `value` now or when the interval is over, unless a newer one comes before that. */
  push(value: T): void {
    this.waiting = { value };
    if (this.stopTimer) {
      return;
    }
    const restMs = this.shownAtMs + this.intervalMs - this.timers.now();
    if (restMs <= 0) {
      this.flush();
    } else {
      this.stopTimer = this.timers.after(restMs, () => this.flush());
    }
  }

  /** Shows what waits, without waiting. */
  flush(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
    const waiting = this.waiting;
    this.waiting = undefined;
    if (waiting) {
      this.shownAtMs = this.timers.now();
      this.show(waiting.value);
    }
  }

  /** Forgets what waits; nothing is shown until the next `push`. */
  cancel(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
    this.waiting = undefined;
  }
}
