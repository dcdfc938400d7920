// Works out what the status shows from what is known of the server, of its engine and of the
// document that is looked at. Knows nothing of how it is drawn.

import type { EngineStatus } from "../protocol";
import type { UiState } from "../server";

export const STARTING: UiState = {
  state: "starting",
  message: "The language server is starting.",
  percent: null,
};

export class StateKeeper {
  private base: UiState = STARTING;
  private readonly withheld = new Map<string, string>();
  private document: string | undefined;

  /** What holds now: that nothing is suggested here, if all else is well. */
  get current(): UiState {
    const why = this.document === undefined ? undefined : this.withheld.get(this.document);
    return why === undefined || !["ready", "stopped"].includes(this.base.state)
      ? this.base
      : { state: "withheld", message: why, percent: null };
  }

  /** Takes what the server says; "withheld" is about the document that is looked at. */
  onStatus({ state, message, percent }: EngineStatus): void {
    if (state === "withheld") {
      if (this.document !== undefined) {
        this.withheld.set(this.document, message);
      }
      return;
    }
    const shown = state === "unavailable" ? "error" : state;
    this.base = { state: shown, message, percent: percent ?? null };
  }

  /** Takes what is not the server's to say. */
  set(state: UiState): void {
    this.base = state;
  }

  /** Another document is looked at, or none. */
  lookAt(uri: string | undefined): void {
    this.document = uri;
  }

  /** What was said of documents holds no longer: settings changed, or the server is another. */
  forgetWithheld(uri?: string): void {
    if (uri === undefined) {
      this.withheld.clear();
    } else {
      this.withheld.delete(uri);
    }
  }
}
