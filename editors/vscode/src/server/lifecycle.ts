// Keeps one language server running: starts, restarts and stops it, and carries handlers of
// notifications over from one to the next. Knows nothing of where the server comes from.

import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

import { type EngineStatus, STATUS } from "../protocol";
import { type Server, ServerNotRunning, type UiState } from "../server";

type Handler = (params: unknown) => void;

export class ServerLifecycle implements Server, vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<void> | undefined;
  private readonly handlers = new Map<string, Set<Handler>>();
  private readonly stateChanged = new vscode.EventEmitter<UiState>();
  readonly onDidChangeUiState = this.stateChanged.event;
  private state: UiState = {
    state: "starting",
    message: "The language server is starting.",
    percent: null,
  };

  constructor(private readonly makeClient: () => Promise<LanguageClient>) {
    this.onNotification(STATUS, (status: EngineStatus) =>
      this.setState({
        state: status.state === "unavailable" ? "error" : status.state,
        message: status.message,
        percent: status.percent ?? null,
      }),
    );
  }

  get uiState(): UiState {
    return this.state;
  }

  get isRunning(): boolean {
    return this.client?.isRunning() ?? false;
  }

  async start(): Promise<void> {
    this.starting = this.startClient();
    await this.starting;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.stop().catch(() => undefined);
  }

  async request<R>(method: string, params: unknown, token?: vscode.CancellationToken): Promise<R> {
    await this.starting;
    if (this.client === undefined || !this.client.isRunning()) {
      throw new ServerNotRunning();
    }
    return this.client.sendRequest<R>(method, params, token);
  }

  notify(method: string, params: unknown): void {
    if (this.isRunning) {
      void this.client?.sendNotification(method, params);
    }
  }

  onNotification<P>(method: string, handler: (params: P) => void): vscode.Disposable {
    const handlers = this.handlers.get(method) ?? new Set();
    if (handlers.size === 0) {
      this.handlers.set(method, handlers);
      this.client?.onNotification(method, (params: unknown) => this.dispatch(method, params));
    }
    handlers.add(handler as Handler);
    return new vscode.Disposable(() => handlers.delete(handler as Handler));
  }

  dispose(): void {
    this.stateChanged.dispose();
  }

  private async startClient(): Promise<void> {
    const client = await this.makeClient();
    this.client = client;
    for (const method of this.handlers.keys()) {
      client.onNotification(method, (params: unknown) => this.dispatch(method, params));
    }
    try {
      await client.start();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.setState({
        state: "error",
        message: `The language server did not start: ${why}`,
        percent: null,
      });
    }
  }

  private dispatch(method: string, params: unknown): void {
    for (const handler of this.handlers.get(method) ?? []) {
      handler(params);
    }
  }

  private setState(state: UiState): void {
    this.state = state;
    this.stateChanged.fire(state);
  }
}
