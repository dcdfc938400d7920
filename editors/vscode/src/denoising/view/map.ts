// Draws all steps at once: a row for each, a column for each token, coloured by how sure it is.
// Knows nothing of texts.

import { levelOf } from "../figures";
import type { Recording } from "../recording";

const ROW_PX = 8;
const MAX_COLUMN_PX = 14;
const MAX_HEIGHT_PX = 320;

/** Draws a recording with one row marked, in the colours that the style gives the levels. */
export function drawMap(canvas: HTMLCanvasElement, recording: Recording, stepIdx: number): void {
  const numColumns = Math.max(1, ...recording.steps.map((step) => step.tokens.length));
  const widthPx = Math.max(1, canvas.parentElement?.clientWidth ?? 1);
  const columnPx = Math.min(MAX_COLUMN_PX, widthPx / numColumns);
  const rowPx = Math.min(ROW_PX, MAX_HEIGHT_PX / recording.steps.length);
  const scale = window.devicePixelRatio;
  canvas.style.setProperty("width", `${columnPx * numColumns}px`);
  canvas.style.setProperty("height", `${rowPx * recording.steps.length}px`);
  canvas.width = columnPx * numColumns * scale;
  canvas.height = rowPx * recording.steps.length * scale;
  const context = canvas.getContext("2d");
  if (!context) {
    return;
  }
  context.scale(scale, scale);
  const style = getComputedStyle(document.body);
  const colors = [0, 1, 2, 3, 4].map((level) => style.getPropertyValue(`--level${level}`));
  const unknown = style.getPropertyValue("--level-unknown");
  recording.steps.forEach((step, row_idx) => {
    step.tokens.forEach((token, column_idx) => {
      const level = levelOf(token);
      context.globalAlpha = token.isSettled ? 1 : 0.55;
      context.fillStyle = (level === null ? unknown : colors[level]) ?? unknown;
      context.fillRect(column_idx * columnPx, row_idx * rowPx, columnPx - 0.5, rowPx - 0.5);
    });
  });
  context.globalAlpha = 1;
  context.strokeStyle = style.getPropertyValue("--marked");
  context.lineWidth = 1.5;
  context.strokeRect(0.75, stepIdx * rowPx + 0.25, columnPx * numColumns - 1.5, rowPx - 0.5);
}

/** The step whose row lies `offsetPx` below the map's top. */
export function stepAt(canvas: HTMLCanvasElement, recording: Recording, offsetPx: number): number {
  return Math.floor((offsetPx / canvas.clientHeight) * recording.steps.length);
}
