// Which step of a recording is looked at: the newest, one that was chosen, or one after another.
// Knows nothing of what a step holds, nor of clocks.

export class Player {
  private numSteps = 0;
  /** Index of the step looked at, -1 while there is none. */
  stepIdx = -1;
  isPlaying = false;

  get isAtEnd(): boolean {
    return this.stepIdx >= this.numSteps - 1;
  }

  /** A recording was opened that has this many steps; the newest is looked at. */
  open(numSteps: number): void {
    this.numSteps = numSteps;
    this.stepIdx = numSteps - 1;
    this.isPlaying = false;
  }

  /** A step came. Who looks at the newest goes on doing so. */
  grow(): void {
    const wasAtEnd = this.isAtEnd && !this.isPlaying;
    this.numSteps += 1;
    if (wasAtEnd) {
      this.stepIdx = this.numSteps - 1;
    }
  }

  /** Looks at a step, the nearest where there is none of this index. */
  seek(stepIdx: number): void {
    this.isPlaying = false;
    this.stepIdx = Math.max(Math.min(0, this.numSteps - 1), Math.min(stepIdx, this.numSteps - 1));
  }

  /** Starts from here, from the first step when this is the last; or stops. */
  togglePlaying(): void {
    if (!this.isPlaying && this.isAtEnd) {
      this.stepIdx = Math.min(0, this.numSteps - 1);
    }
    this.isPlaying = !this.isPlaying && this.numSteps > 1;
  }

  /** Goes on by a step while playing, and stops at the last. */
  tick(): void {
    if (this.isPlaying) {
      this.stepIdx += 1;
      this.isPlaying = !this.isAtEnd;
    }
  }
}
