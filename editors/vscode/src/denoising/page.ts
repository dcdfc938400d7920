// The page inside the panel: its elements, named for screen readers, before any script has run.
// Knows nothing of what is drawn into them.

export interface PageParts {
  /** What `webview.cspSource` says. */
  cspSource: string;
  nonce: string;
  scriptUri: string;
  styleUri: string;
}

/** The whole page. It loads nothing but our script and style, and runs nothing without the nonce. */
export function pageHtml({ cspSource, nonce, scriptUri, styleUri }: PageParts): string {
  const policy = `default-src 'none'; style-src ${cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="stylesheet" href="${styleUri}">
  <title>Denoising</title>
</head>
<body>
  <main>
    <p id="empty">Nothing has been denoised since this view was opened. Type in a file, ask for a
      suggestion, or rewrite a selection.</p>
    <div id="recording" hidden>
      <div class="controls" role="toolbar" aria-label="Steps">
        <button id="play" type="button">Play</button>
        <input id="step" type="range" min="0" step="1" aria-label="Denoising step">
        <label><input id="follow" type="checkbox" checked> Follow new requests</label>
        <button id="copy" type="button">Copy as text</button>
      </div>
      <p id="summary" role="status" aria-live="polite"></p>
      <pre id="canvas" tabindex="0" aria-label="The canvas after this step"></pre>
      <p id="shown"></p>
      <p id="ending"></p>
      <section id="steps" aria-labelledby="steps-title">
        <h2 id="steps-title">All steps</h2>
        <canvas id="map" role="img" aria-labelledby="steps-title"></canvas>
        <p class="hint">One row for each step, one column for each token; a click opens the step.</p>
      </section>
      <h2>Legend</h2>
      <ul class="legend">
        <li><span class="token level0">below 20 %</span> <span class="token level1">to 40 %</span>
          <span class="token level2">to 60 %</span> <span class="token level3">to 80 %</span>
          <span class="token level4">to 100 %</span> sure</li>
        <li><span class="token settled">settled</span> will not change any more</li>
        <li><span class="token changed">changed</span> reads otherwise than a step ago</li>
      </ul>
    </div>
  </main>
  <script nonce="${nonce}" src="${scriptUri}"></script>
</body>
</html>`;
}
