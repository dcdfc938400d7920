// Registers what rewriting a selection needs.

import type * as vscode from "vscode";

import type { Server } from "../server";

export function registerRewrite(_context: vscode.ExtensionContext, _server: Server): void {}
