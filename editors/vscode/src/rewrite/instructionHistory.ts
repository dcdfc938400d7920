// Instructions given before, newest first. Knows nothing of where they are kept.

export const MAX_INSTRUCTIONS = 20;

/** The history with `instruction` in front, each kept once; an empty one is not worth keeping. */
export function withInstruction(history: readonly string[], instruction: string): string[] {
  const wanted = instruction.trim();
  if (!wanted) {
    return [...history];
  }
  return [wanted, ...history.filter((one) => one !== wanted)].slice(0, MAX_INSTRUCTIONS);
}

/** What was kept, read back: anything that is not a list of texts counts as nothing. */
export function readHistory(kept: unknown): string[] {
  if (!Array.isArray(kept)) {
    return [];
  }
  return kept
    .filter((one): one is string => typeof one === "string" && one.trim() !== "")
    .slice(0, MAX_INSTRUCTIONS);
}
