// What the user is told when a request failed. Knows nothing of what was asked.

/** vscode-jsonrpc's codes for a connection that broke off: its own words are for developers. */
const BROKEN_OFF = new Set([-32099, -32098, -32097, -32096]);

/** A sentence for the user: the server's own, or that the server is gone. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const code = "code" in error ? error.code : undefined;
  return typeof code === "number" && BROKEN_OFF.has(code)
    ? "The language server ended while it was rewriting. Try again once it is back."
    : error.message;
}
