// Draws a rewrite as Markdown for a comment: a diff whose colours are the theme's. Knows nothing of
// comments, and nothing of VS Code but which HTML its Markdown lets through.
//
// A fenced diff block would colour whole lines only and could not show what has settled; spans with
// theme colours can, and are let through when `supportHtml` is set.

import { type DiffLine, diffLines, type Fold, type FoldedLine, foldLongRuns, type Part } from "./lineDiff";
import type { RewriteState } from "./rewriteState";

/** Lines longer than this are not padded to a common width. */
const MAX_PADDED_WIDTH = 100;
const NUM_CONTEXT_LINES = 3;
/** More would make the box taller than the editor. */
const MAX_SHOWN_LINES = 40;
const TAB_WIDTH = 4;

const LINE_BACKGROUND = {
  same: undefined,
  removed: "diffEditor-removedLineBackground",
  added: "diffEditor-insertedLineBackground",
} as const;
const CHANGED_BACKGROUND = {
  same: undefined,
  removed: "diffEditor-removedTextBackground",
  added: "diffEditor-insertedTextBackground",
} as const;
const UNSETTLED_COLOR = "descriptionForeground";
const SIGNS = { same: " ", removed: "-", added: "+" } as const;

/** A command that the user can click; `title` says what it does and `key` how else to do it. */
export interface Action {
  title: string;
  command: string;
  key?: string;
}

/** How a rewrite is drawn beside its text. */
export interface Drawing {
  /** What can be done, the likeliest first. */
  actions: readonly Action[];
  /** What the command of each action is given. */
  commandArgument: string;
  /** Whether the diff is a fenced block without colours of ours, for screen readers. */
  isPlain: boolean;
}

/** The Markdown of a rewrite of `oldText` in `state`: what happens, the diff, what can be done. */
export function rewriteMarkdown(oldText: string, state: RewriteState, drawing: Drawing): string {
  const { actions, commandArgument, isPlain } = drawing;
  const links = actions.map((action) => link(action, commandArgument)).join(" &nbsp;·&nbsp; ");
  const diff = diffMarkdown(oldText, state, isPlain);
  return [headline(state), diff, links].filter((part) => part).join("\n\n");
}

function headline(state: RewriteState): string {
  switch (state.phase) {
    case "running": {
      if (state.numSteps === 0) {
        return "$(loading~spin) Reading…";
      }
      const percent = Math.round((100 * state.settledLength) / Math.max(1, state.text.length));
      return `$(loading~spin) Denoising, step ${state.numSteps}, ${percent} % settled`;
    }
    case "offered":
      return state.note ? `$(info) ${escapeMarkdown(state.note)}` : "";
    case "nothing":
      return `$(warning) ${escapeMarkdown(state.reason)}`;
  }
}

function diffMarkdown(oldText: string, state: RewriteState, isPlain: boolean): string {
  if (state.phase === "nothing" || (state.phase === "running" && state.numSteps === 0)) {
    return "";
  }
  const settledLength = state.phase === "running" ? state.settledLength : state.text.length;
  const lines = markUnsettled(
    diffLines(oldText, state.text),
    countLineBreaksAsOne(state.text, settledLength),
  );
  const folded = foldLongRuns(lines, NUM_CONTEXT_LINES);
  const numLeftOut = Math.max(0, folded.length - MAX_SHOWN_LINES);
  const shown = folded.slice(0, MAX_SHOWN_LINES);
  return isPlain ? fencedDiff(shown, numLeftOut) : htmlDiff(shown, numLeftOut);
}

function htmlDiff(lines: readonly FoldedLine[], numLeftOut: number): string {
  const width = Math.max(...lines.map((line) => (line.kind === "fold" ? 0 : widthOf(line))));
  const rows = lines.map((line) =>
    line.kind === "fold"
      ? span(`  ${foldText(line)}`, { color: UNSETTLED_COLOR })
      : lineHtml(line, Math.min(width, MAX_PADDED_WIDTH)),
  );
  if (numLeftOut > 0) {
    rows.push(span(`  ${leftOutText(numLeftOut)}`, { color: UNSETTLED_COLOR }));
  }
  return `<pre><code>${rows.join("\n")}</code></pre>`;
}

function fencedDiff(lines: readonly FoldedLine[], numLeftOut: number): string {
  const rows = lines.map((line) =>
    line.kind === "fold"
      ? `  ${foldText(line)}`
      : `${SIGNS[line.kind]} ${line.parts.map((part) => part.text).join("")}`,
  );
  if (numLeftOut > 0) {
    rows.push(`  ${leftOutText(numLeftOut)}`);
  }
  const text = rows.join("\n");
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}diff\n${text}\n${fence}`;
}

function foldText(fold: Fold): string {
  return `⋯ ${fold.numLines} lines ${fold.of === "same" ? "unchanged" : "removed"}`;
}

function leftOutText(numLines: number): string {
  return `⋯ ${numLines} lines more: show the diff`;
}

interface MarkedPart extends Part {
  isUnsettled?: boolean;
}

/** Splits the parts of new lines where the text stops being settled. */
function markUnsettled(lines: readonly DiffLine[], settledLength: number): DiffLine[] {
  let restLength = settledLength;
  return lines.map((line) => {
    if (line.kind === "removed") {
      return line;
    }
    const parts: MarkedPart[] = [];
    for (const part of line.parts) {
      const numSettled = Math.max(0, Math.min(part.text.length, restLength));
      if (numSettled > 0) {
        parts.push({ ...part, text: part.text.slice(0, numSettled) });
      }
      if (numSettled < part.text.length) {
        parts.push({ ...part, text: part.text.slice(numSettled), isUnsettled: true });
      }
      restLength -= part.text.length;
    }
    restLength -= 1; // the line's end
    return { ...line, parts };
  });
}

/** `length` characters of `text`, once every line ending is one character. */
function countLineBreaksAsOne(text: string, length: number): number {
  return text.slice(0, length).replace(/\r\n/g, "\n").length;
}

function lineHtml(line: DiffLine, width: number): string {
  const background = LINE_BACKGROUND[line.kind];
  const padding = " ".repeat(Math.max(0, width - widthOf(line)));
  const parts = (line.parts as MarkedPart[]).map((part) =>
    span(expandTabs(part.text), {
      color: part.isUnsettled ? UNSETTLED_COLOR : undefined,
      background: part.isChanged ? CHANGED_BACKGROUND[line.kind] : background,
    }),
  );
  return [span(`${SIGNS[line.kind]} `, { background }), ...parts, span(padding, { background })].join(
    "",
  );
}

/** VS Code lets through exactly this order of style properties, and only on spans. */
function span(
  text: string,
  style: { color?: string | undefined; background?: string | undefined },
): string {
  if (!text) {
    return "";
  }
  const color = style.color ? `color:var(--vscode-${style.color});` : "";
  const background = style.background
    ? `background-color:var(--vscode-${style.background});`
    : "";
  const escaped = escapeHtml(text);
  return color || background ? `<span style="${color}${background}">${escaped}</span>` : escaped;
}

function link(action: Action, argument: string): string {
  const encoded = encodeURIComponent(JSON.stringify([argument]));
  const key = action.key ? ` (${action.key})` : "";
  return `[${action.title}](command:${action.command}?${encoded} "${action.title}${key}")${key}`;
}

function widthOf(line: DiffLine): number {
  return line.parts.reduce((width, part) => width + expandTabs(part.text).length, 0);
}

/** Tabs have no use for columns inside a span that stands behind a sign. */
function expandTabs(text: string): string {
  return text.replace(/\t/g, " ".repeat(TAB_WIDTH));
}

/** Icons are drawn wherever a dollar sign and a name in brackets stand, in code too. */
const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  $: "&#36;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"$]/g, (sign) => ENTITIES[sign] ?? sign);
}

/** A sentence as it is, whatever signs of Markdown it holds. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[&<>"$]|[\\`*_{}[\]()#+\-.!|~]/g, (sign) => ENTITIES[sign] ?? `\\${sign}`)
    .replace(/\s+/g, " ");
}
