// Keeps one language server running: starts it, starts it again when it ends by itself, stops it,
// and carries handlers of notifications over from one to the next. Knows nothing of where the
// server comes from or of how the user is told.

import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

import { type EngineStatus, STATUS } from "../protocol";
import { type Server, ServerNotRunning, type UiState } from "../server";
import { BackOff } from "./backOff";
import type { Found } from "./find";
import { endProcess, type ServerProcess, startProcess } from "./process";
import { STARTING, StateKeeper } from "./state";

type Handler = (params: unknown) => void;

export interface LifecycleParts {
  find(): Found;
  makeClient(process: ServerProcess, onClosed: () => void): Promise<LanguageClient>;
  /** There is nothing to start. */
  onMissing(found: Exclude<Found, { kind: "found" }>): void;
  /** The server keeps ending; called once for each such time. */
  onCrashLoop(message: string): void;
  log(line: string): void;
}

interface Running {
  client: LanguageClient;
  process: ServerProcess;
  sinceMs: number;
}

/** Longest wait for a server that was started: only imports happen before it answers. */
const START_TIMEOUT_MS = 60_000;

export class ServerLifecycle implements Server, vscode.Disposable {
  private running: Running | undefined;
  private work: Promise<void> = Promise.resolve();
  private readonly handlers = new Map<string, Set<Handler>>();
  private readonly stateChanged = new vscode.EventEmitter<UiState>();
  readonly onDidChangeUiState = this.stateChanged.event;
  private readonly keeper = new StateKeeper();
  private readonly backOff = new BackOff();
  private nextStart: NodeJS.Timeout | undefined;

  constructor(private readonly parts: LifecycleParts) {
    this.onNotification<EngineStatus>(STATUS, (status) => this.onStatus(status));
  }

  get uiState(): UiState {
    return this.keeper.current;
  }

  get isRunning(): boolean {
    return this.running?.client.isRunning() ?? false;
  }

  /** The client that runs, for what only it can do. */
  get client(): LanguageClient | undefined {
    return this.isRunning ? this.running?.client : undefined;
  }

  /** Starts the server unless it runs. What goes wrong is told by `uiState`. */
  start(): Promise<void> {
    return this.inTurn(() => this.startOne());
  }

  /** Stops the server and starts it, with all that is set by now. */
  restart(): Promise<void> {
    this.backOff.forget();
    if (!this.isRunning) {
      // One that does not come up would be waited for.
      this.running?.process.child.kill();
    }
    return this.inTurn(async () => {
      await this.stopOne();
      await this.startOne();
    });
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.stopOne());
  }

  /** Another document is looked at, or none: some of what is shown is about one. */
  lookAt(uri: string | undefined): void {
    this.keeper.lookAt(uri);
    this.stateChanged.fire(this.uiState);
  }

  /** Settings changed: what was said of documents may not hold. */
  forgetWithheld(uri?: string): void {
    this.keeper.forgetWithheld(uri);
    this.stateChanged.fire(this.uiState);
  }

  /** Shows something that is neither the server's nor the engine's to say. */
  setState(state: UiState): void {
    this.keeper.set(state);
    this.stateChanged.fire(this.uiState);
  }

  async request<R>(method: string, params: unknown, token?: vscode.CancellationToken): Promise<R> {
    // A server that is just starting is waited for.
    await this.work;
    const client = this.client;
    if (client === undefined) {
      throw new ServerNotRunning();
    }
    // A token of undefined would be sent, as a second parameter.
    return token
      ? client.sendRequest<R>(method, params, token)
      : client.sendRequest<R>(method, params);
  }

  notify(method: string, params: unknown): void {
    this.client?.sendNotification(method, params).catch((error: unknown) => {
      // It ended in this moment, which is told elsewhere.
      this.parts.log(String(error));
    });
  }

  onNotification<P>(method: string, handler: (params: P) => void): vscode.Disposable {
    const handlers = this.handlers.get(method) ?? new Set();
    if (!this.handlers.has(method)) {
      this.handlers.set(method, handlers);
      this.listen(this.running?.client, method);
    }
    handlers.add(handler as Handler);
    return new vscode.Disposable(() => handlers.delete(handler as Handler));
  }

  dispose(): void {
    clearTimeout(this.nextStart);
    this.stateChanged.dispose();
  }

  /** One after the other: a client that is starting can not be stopped. */
  private inTurn(step: () => Promise<void>): Promise<void> {
    clearTimeout(this.nextStart);
    this.work = this.work.then(step).catch((error: unknown) => this.parts.log(String(error)));
    return this.work;
  }

  private async startOne(): Promise<void> {
    if (this.running !== undefined) {
      return;
    }
    const found = this.parts.find();
    if (found.kind !== "found") {
      this.parts.onMissing(found);
      return;
    }
    if (!this.backOff.isLoop) {
      // In a loop what is wrong stays to be read, instead of blinking with each attempt.
      this.setState(STARTING);
    }
    this.parts.log(`Starting ${found.command.join(" ")}`);
    let running: Running | undefined;
    try {
      const process = await startProcess(found.command);
      // Killing it ends the wait below.
      const tooLate = setTimeout(() => process.child.kill(), START_TIMEOUT_MS);
      process.child.once("exit", () => clearTimeout(tooLate));
      const client = await this.parts.makeClient(process, () => this.onEnded(running));
      running = { client, process, sinceMs: performance.now() };
      this.running = running;
      for (const method of this.handlers.keys()) {
        this.listen(client, method);
      }
      await client.start();
      clearTimeout(tooLate);
      this.onStatus(await client.sendRequest<EngineStatus>(STATUS, {}));
    } catch (error) {
      if (running === undefined || running === this.running) {
        this.onEnded(running, why(error));
      }
    }
  }

  private async stopOne(): Promise<void> {
    const { client, process } = this.running ?? {};
    this.running = undefined;
    // One that did not come up, or that has ended, can not be stopped and need not be.
    await client?.stop().catch(() => undefined);
    if (process !== undefined) {
      await endProcess(process.child);
    }
  }

  /** The server ended by itself, or never came up. */
  private onEnded(ended: Running | undefined, reason?: string): void {
    if (ended !== undefined && ended !== this.running) {
      return; // stopped on purpose, or told already
    }
    this.running = undefined;
    ended?.process.child.kill();
    const nowMs = performance.now();
    const { delayMs, isLoop, isNews } = this.backOff.onEnd(nowMs, nowMs - (ended?.sinceMs ?? nowMs));
    const lastLine = ended?.process.lastWords().split("\n").at(-1) ?? "";
    const message = `The language server ended: ${lastLine || reason || "it did not say why"}`;
    this.parts.log(`${message}. Starting it again in ${delayMs / 1000} s.`);
    this.setState(
      isLoop
        ? { state: "error", message: `${message}. It keeps ending; the log may say why.`, percent: null }
        : { ...STARTING, message: `${message}. It is being started again.` },
    );
    if (isNews) {
      this.parts.onCrashLoop(message);
    }
    this.nextStart = setTimeout(() => void this.start(), delayMs);
  }

  private onStatus(status: EngineStatus): void {
    this.keeper.onStatus(status);
    this.stateChanged.fire(this.uiState);
  }

  private listen(client: LanguageClient | undefined, method: string): void {
    client?.onNotification(method, (params: unknown) => {
      for (const handler of this.handlers.get(method) ?? []) {
        handler(params);
      }
    });
  }
}

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
