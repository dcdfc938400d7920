// Says when to start again a server that keeps ending by itself, and when to trouble the user with
// it. Knows nothing of processes.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 60_000;
/** A server that ran this long is taken for well again. */
const CALM_MS = 60_000;
/** Ends within `CALM_MS` that are a loop. */
const NUM_LOOP = 3;

export interface Advice {
  /** How long to wait before the next start. */
  delayMs: number;
  /** Whether it keeps ending: then the user is told. */
  isLoop: boolean;
  /** True the first time only: one message for one loop. */
  isNews: boolean;
}

export class BackOff {
  private ends: number[] = [];
  private numInRow = 0;
  private wasTold = false;

  /** Takes note that the server ended by itself at `nowMs` after running for `ranMs`. */
  onEnd(nowMs: number, ranMs: number): Advice {
    if (ranMs >= CALM_MS) {
      this.forget();
    }
    this.ends = [...this.ends.filter((ms) => nowMs - ms < CALM_MS), nowMs];
    const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.numInRow);
    this.numInRow += 1;
    // Once it is a loop the waits grow, and ends come more than a minute apart: it stays one.
    const isLoop = this.wasTold || this.ends.length >= NUM_LOOP;
    const isNews = isLoop && !this.wasTold;
    this.wasTold = isLoop;
    return { delayMs, isLoop, isNews };
  }

  /** Whether it kept ending, and has not been well since. */
  get isLoop(): boolean {
    return this.wasTold;
  }

  /** Begins anew, as when the user restarts the server. */
  forget(): void {
    this.ends = [];
    this.numInRow = 0;
    this.wasTold = false;
  }
}
