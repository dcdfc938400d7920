// A rewrite as Markdown: what is seen, and that no code becomes markup.

import assert from "node:assert/strict";
import { test } from "node:test";

import { actionsIn } from "../src/rewrite/actions";
import { type Drawing, escapeMarkdown, rewriteMarkdown } from "../src/rewrite/diffMarkdown";
import type { RewriteState } from "../src/rewrite/rewriteState";

const DRAWING: Drawing = { actions: [], commandArgument: "file:///a b.py", isPlain: false };

function offered(text: string, note = ""): RewriteState {
  return { phase: "offered", text, note };
}

/** What a browser would show of the HTML. */
function shown(html: string): string {
  return html
    .replace(/<[^>]*>/g, "")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&#36;/g, "$")
    .replace(/&amp;/g, "&");
}

test("code that looks like markup is shown as it is", () => {
  const hostile = 'if a < b && c > "d": </pre><script>x</script> $(zap) &lt; `*_[x](command:y)';
  const markdown = rewriteMarkdown("old", offered(hostile), DRAWING);
  assert.equal(shown(markdown).split("\n")[1]?.trimEnd(), `+ ${hostile}`);
  const tags = new Set([...markdown.matchAll(/<\/?([a-z]+)/g)].map((match) => match[1]));
  assert.deepEqual([...tags].sort(), ["code", "pre", "span"]);
  assert.ok(!markdown.includes("$("));
});

test("every style is one that VS Code lets through", () => {
  const state: RewriteState = { phase: "running", text: "a\nbc", settledLength: 2, numSteps: 3 };
  const styles = [...rewriteMarkdown("a\nold", state, DRAWING).matchAll(/style="([^"]*)"/g)];
  assert.ok(styles.length > 3);
  for (const [, style] of styles) {
    assert.match(
      style ?? "",
      /^(color:var\(--vscode(-[a-zA-Z0-9]+)+\);)?(background-color:var\(--vscode(-[a-zA-Z0-9]+)+\);)?$/,
    );
  }
});

test("what has not settled has another colour", () => {
  const state: RewriteState = { phase: "running", text: "ab\r\ncdef", settledLength: 6, numSteps: 1 };
  const dimmed = rewriteMarkdown("x", state, DRAWING).matchAll(
    /color:var\(--vscode-descriptionForeground\);[^>]*>([^<]*)</g,
  );
  assert.deepEqual([...dimmed].map((match) => match[1]), ["ef"]);
});

test("while nothing has come, and where nothing comes, there is no diff", () => {
  const begun: RewriteState = { phase: "running", text: "", settledLength: 0, numSteps: 0 };
  assert.ok(!rewriteMarkdown("old", begun, DRAWING).includes("<pre>"));
  const nothing: RewriteState = { phase: "nothing", reason: "The model wrote *nothing*." };
  assert.equal(rewriteMarkdown("old", nothing, DRAWING), "$(warning) The model wrote \\*nothing\\*\\.");
});

test("a long diff is cut and says so", () => {
  const text = Array.from({ length: 100 }, (_, line) => `line ${line}`).join("\n");
  const markdown = rewriteMarkdown("old", offered(text), DRAWING);
  assert.match(shown(markdown), /⋯ 61 lines more/);
  assert.ok(!markdown.includes("line 50"));
});

test("for a screen reader there is no HTML, and no text can end the block", () => {
  const markdown = rewriteMarkdown("a", offered("```\nb"), { ...DRAWING, isPlain: true });
  assert.equal(markdown, "````diff\n- a\n+ ```\n+ b\n````");
});

test("every action can be clicked, and is about its document", () => {
  const actions = actionsIn("offered", false);
  const markdown = rewriteMarkdown("a", offered("b"), { ...DRAWING, actions });
  const links = [...markdown.matchAll(/\[([^\]]+)\]\(command:([\w.]+)\?(\S+) /g)];
  assert.deepEqual(
    links.map(([, title, command]) => `${title} ${command}`),
    [
      "Accept infill.rewrite.accept",
      "Discard infill.rewrite.discard",
      "Retry infill.rewrite.retry",
      "Show diff infill.rewrite.showDiff",
    ],
  );
  for (const link of links) {
    assert.deepEqual(JSON.parse(decodeURIComponent(link[3] ?? "")), [DRAWING.commandArgument]);
  }
});

test("while it runs it can only be stopped, and without a text it can't be accepted", () => {
  assert.deepEqual(actionsIn("running", false).map((action) => action.title), ["Stop"]);
  assert.deepEqual(actionsIn("nothing", false).map((action) => action.title), ["Retry", "Discard"]);
});

test("a sentence stays one, whatever it holds", () => {
  assert.equal(escapeMarkdown("a <b> [c](d)\n# $(e)"), "a &lt;b&gt; \\[c\\]\\(d\\) \\# &#36;\\(e\\)");
});
