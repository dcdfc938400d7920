// Tells the user what is wrong with the server, with what can be done about it as buttons. Never
// modal. Knows nothing of how the server is run.

import * as vscode from "vscode";

/** One message for a server that keeps ending. */
export function tellCrashLoop(message: string): Promise<void> {
  return tellError(`infill-ls keeps ending. ${message}`, {
    "Show log": "infill.showLog",
    Restart: "infill.restart",
  });
}

/** Shows an error with buttons, each of which runs a command. Returns when it is gone. */
export async function tellError(
  message: string,
  commands: Readonly<Record<string, string>>,
): Promise<void> {
  const chosen = await vscode.window.showErrorMessage(message, ...Object.keys(commands));
  const command = chosen === undefined ? undefined : commands[chosen];
  if (command !== undefined) {
    await vscode.commands.executeCommand(command);
  }
}
