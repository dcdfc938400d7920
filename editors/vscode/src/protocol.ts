// The messages that infill-ls has beyond LSP: names and types, as docs of the server state them.
// Knows nothing of who sends them when.
//
// Lengths and offsets count UTF-16 code units, as JavaScript's strings do.

import type { InlineCompletionItem, InlineCompletionParams, Range } from "vscode-languageclient";

/** Request: `textDocument/inlineCompletion`, told of while it converges by `infill/update`. */
export const STREAM = "infill/stream";
/** Notification from the server, one after every denoising step of a stream request. */
export const UPDATE = "infill/update";
/** Notification to the server: a suggestion was shown. No parameters but `{}`. */
export const DID_SHOW = "infill/didShow";
/** Notification to the server: a part of what is shown was taken, by word or by line. */
export const DID_PARTIALLY_ACCEPT = "infill/didPartiallyAccept";
/** Notification from the server, and a request with the same answer: how the engine is. */
export const STATUS = "infill/status";
/** Notification from the server: how a selection that is being rewritten looks after a step. */
export const REWRITE_PREVIEW = "infill/rewritePreview";

/** LSP's request by which the commands below reach the server. */
export const EXECUTE_COMMAND = "workspace/executeCommand";
/** Server command, `[uri, chars]`: run after a suggestion was inserted. */
export const DID_ACCEPT_COMMAND = "infill.didAccept";
/** Server command, `[RewriteOrder]`, answered with `RewriteAnswer`. */
export const REWRITE_COMMAND = "infill.rewriteSelection";
/** Server command, `[uri]`: ends the rewrite that runs in a document. */
export const CANCEL_REWRITE_COMMAND = "infill.cancelRewrite";

export interface StreamParams extends InlineCompletionParams {
  /** Unique among all requests of this session; every update of the request carries it. */
  token: string | number;
}

/** `null`: keep what is shown, there is nothing new to offer. */
export type StreamAnswer = InlineCompletionItem[] | { items: InlineCompletionItem[] } | null;

export interface StreamUpdate {
  token: string | number;
  /** 0, 1, 2... within a request. */
  sequence: number;
  /** Of the document that the request was about. */
  version: number;
  /** Number of the denoising step, from 0. */
  step?: number | null;
  /** How many canvas positions were accepted in this step. */
  accepted?: number | null;
  /** The canvas as it reads now; anything after `settledLength` may still change. */
  text: string;
  settledLength: number;
  /** 0 to 1 for each canvas position. */
  confidence: number[];
  /** Length of what each canvas position spells. Their sum may be less than that of `text`: what
   * comes before is text of earlier canvases. */
  tokenLengths?: number[];
  /** What may be shown now. Only ever extended within a request; the final text begins with it. */
  stable?: string;
  /** Whether this is the last update; `stable` is then the text offered, "" for none. */
  done: boolean;
  /** With `done`: null, or a code that says why nothing is offered. */
  reason?: string | null;
  /** With `done`: the same as a sentence for the user. */
  message?: string | null;
}

export interface DidPartiallyAcceptParams {
  uri: string;
  acceptedLength: number;
}

export type EngineState = "stopped" | "starting" | "ready" | "unavailable" | "withheld";

export interface EngineStatus {
  /** "withheld" is about one document, all others are about the engine. */
  state: EngineState;
  /** A sentence for the user; holds no code. */
  message: string;
  /** 0 to 100 while "starting", if known. */
  percent?: number | null;
}

export interface RewriteOrder {
  uri: string;
  range: Range;
  instruction?: string;
  /** Version of the document that `range` is about; another one is refused. */
  version?: number;
  /** More than 0, at most 1: how much of the selection is thrown away before it is denoised. */
  strength?: number;
  seed?: number;
  /** False: the server edits nothing and answers with the text. Default true. */
  apply?: boolean;
}

export interface RewriteAnswer {
  applied: boolean;
  /** With `apply: false`: what the selection would become. */
  text?: string;
  /** Of the document that `text` was made for. */
  version?: number;
  /** What the user should know, such as that the model follows no instructions. */
  note?: string;
  /** Why there is no text. */
  reason?: string;
}

export interface RewritePreview {
  uri: string;
  version: number;
  range: Range;
  sequence: number;
  text: string;
  settledLength: number;
  done: boolean;
}
