// What the user sees of VS Code's editor, read from the page. Put into it before VS Code loads.
// Knows nothing of our extension.

(() => {
  const plain = (text) => text.replaceAll("\u00a0", " ").replaceAll("\u200b", "");

  const activeEditor = () =>
    document.querySelector(".editor-group-container.active .monaco-editor.focused") ??
    document.querySelector(".editor-group-container.active .monaco-editor");

  const top = (element) => Number.parseFloat(element.style.top);

  /** The view lines from the first visible one on; VS Code keeps them in another order. */
  const viewLines = (editor) =>
    [...editor.querySelectorAll(".view-lines > .view-line")].sort((a, b) => top(a) - top(b));

  const isGhost = (span) => /(^| )ghost-text-decoration/.test(span.className);

  /** Ghost text of one view line and all else that stands there. */
  const split = (line) => {
    let ghost = "";
    let text = "";
    for (const span of line.querySelectorAll(":scope > span > span")) {
      if (isGhost(span)) {
        ghost += plain(span.textContent);
      } else if (!/(^| )ghost-text-hidden/.test(span.className)) {
        text += plain(span.textContent);
      }
    }
    return { ghost, text };
  };

  /** Everything shown as ghost text, lines joined by "\n"; "" when there is none. */
  const ghostText = () => {
    const editor = activeEditor();
    if (editor === null) {
      return "";
    }
    const inline = viewLines(editor).map((line) => split(line).ghost).join("");
    const below = [...editor.querySelectorAll(".suggest-preview-text > .view-line")]
      .sort((a, b) => top(a) - top(b))
      .map((line) => plain(line.textContent));
    return [inline, ...below].join("\n");
  };

  /** The document's visible lines as they stand in it, without ghost text. */
  const text = () => {
    const editor = activeEditor();
    return editor === null ? "" : viewLines(editor).map((line) => split(line).text).join("\n");
  };

  /** The line with the (first) cursor, without ghost text. */
  const cursorLine = () => {
    const editor = activeEditor();
    const cursor = editor?.querySelector(".cursors-layer .cursor");
    if (!cursor) {
      return "";
    }
    const line = viewLines(editor).find((each) => top(each) === top(cursor));
    return line === undefined ? "" : split(line).text;
  };

  /** The same line with its ghost text where it is shown: what accepting it makes of the line. */
  const cursorLineAsShown = () => {
    const editor = activeEditor();
    const cursor = editor?.querySelector(".cursors-layer .cursor");
    const line = cursor && viewLines(editor).find((each) => top(each) === top(cursor));
    if (!line) {
      return "";
    }
    return [...line.querySelectorAll(":scope > span > span")]
      .filter((span) => !/(^| )ghost-text-hidden/.test(span.className))
      .map((span) => plain(span.textContent))
      .join("");
  };

  const numCursors = () =>
    activeEditor()?.querySelectorAll(".cursors-layer > .cursor").length ?? 0;

  const texts = (selector) =>
    [...document.querySelectorAll(selector)].map((element) => plain(element.textContent).trim());

  /** What the status bar shows of infill-ls. */
  const status = () => {
    const item = document.querySelector('.statusbar-item[id*="infill"]');
    const label = item?.querySelector("a, .statusbar-item-label");
    const icon = [...(item?.querySelector('[class*="codicon-"]')?.classList ?? [])].find((name) =>
      name.startsWith("codicon-"),
    );
    return {
      text: plain(label?.textContent ?? "").trim(),
      icon: icon?.replace("codicon-", "") ?? "",
      tooltip: label?.getAttribute("aria-label") ?? "",
    };
  };

  /** All that it has shown since `watchStatus`: some of it stands for a moment only. */
  const statusLog = [];
  const keepStatus = () => {
    const now = status();
    if (JSON.stringify(now) !== JSON.stringify(statusLog.at(-1))) {
      statusLog.push(now);
    }
  };
  const watchStatus = () => {
    keepStatus();
    const bar = document.querySelector(".part.statusbar");
    new MutationObserver(keepStatus).observe(bar, {
      attributes: true,
      childList: true,
      subtree: true,
    });
  };
  const statuses = () => statusLog;

  window.infillScreen = {
    ghostText,
    text,
    cursorLine,
    cursorLineAsShown,
    numCursors,
    texts,
    status,
    watchStatus,
    statuses,
  };
})();
