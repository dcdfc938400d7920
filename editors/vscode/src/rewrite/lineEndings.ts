// Line endings of a text. Knows nothing of documents.

export type LineEnding = "\n" | "\r\n";

/** `text` with every line ended as `ending` says. */
export function withLineEnding(text: string, ending: LineEnding): string {
  return text.replace(/\r\n|\r|\n/g, ending);
}

/** Whether two texts differ in nothing but their line endings. */
export function isSameText(first: string, second: string): boolean {
  return withLineEnding(first, "\n") === withLineEnding(second, "\n");
}
