// What the rest of the extension sees of the language server: requests, notifications and how it
// is, across restarts. Knows nothing of how the server is found, started or kept up.

import type { CancellationToken, Disposable, Event } from "vscode";

/** How things are, for the status bar and for whoever has to wait. */
export interface UiState {
  state:
    /** There is no server to start. */
    | "missing"
    /** The server is being installed. */
    | "installing"
    /** The server or its engine is starting. */
    | "starting"
    | "ready"
    /** The engine is not running; a request starts it. */
    | "stopped"
    /** In the document at hand nothing is suggested, and `message` says why. */
    | "withheld"
    /** Something is wrong, and `message` says what. */
    | "error";
  /** A sentence for the user. */
  message: string;
  /** 0 to 100 while "installing" or "starting", null when not known. */
  percent: number | null;
}

export interface Server {
  /**
   * Sends a request and waits for its answer, first for the server if it is just starting.
   * Cancelling the token cancels the request on the server. Nothing goes through the middleware of
   * the client: `workspace/executeCommand` reaches the server as it is.
   * @throws ServerNotRunning when there is no server; ResponseError with a message for the user
   *   when the server refuses; CancellationError when it was cancelled.
   */
  request<R>(method: string, params: unknown, token?: CancellationToken): Promise<R>;
  /** Sends a notification; without a running server it is dropped. */
  notify(method: string, params: unknown): void;
  /** Calls `handler` for each notification of this name, after a restart too. */
  onNotification<P>(method: string, handler: (params: P) => void): Disposable;
  readonly uiState: UiState;
  readonly onDidChangeUiState: Event<UiState>;
  /** Whether requests reach a server now. */
  readonly isRunning: boolean;
}

/** A request that had no server to go to. */
export class ServerNotRunning extends Error {
  constructor() {
    super("The infill-ls language server is not running. Its status is in the status bar.");
    this.name = "ServerNotRunning";
  }
}
