// The page of the denoising view: takes what the panel sends, draws the step that is looked at.
// Knows nothing of VS Code but how to send a message.

import { changedTokens, summaryOf } from "../figures";
import type { ToPage, ToPanel } from "../messages";
import { Player } from "../player";
import type { Recording } from "../recording";
import { drawTokens } from "./canvasText";
import { drawMap, stepAt } from "./map";

declare function acquireVsCodeApi(): { postMessage(message: ToPanel): void };

const PLAY_EVERY_MS = 300;

const panel = acquireVsCodeApi();
const player = new Player();
let recording: Recording | null = null;
let timer: number | undefined;
let isDrawing = false;

const empty = element("empty", HTMLElement);
const whole = element("recording", HTMLElement);
const play = element("play", HTMLButtonElement);
const slider = element("step", HTMLInputElement);
const follow = element("follow", HTMLInputElement);
const copy = element("copy", HTMLButtonElement);
const summary = element("summary", HTMLElement);
const canvas = element("canvas", HTMLElement);
const shown = element("shown", HTMLElement);
const ending = element("ending", HTMLElement);
const steps = element("steps", HTMLElement);
const map = element("map", HTMLCanvasElement);

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => onMessage(data));
window.addEventListener("resize", drawSoon);
play.addEventListener("click", () => {
  player.togglePlaying();
  playOn();
});
slider.addEventListener("input", () => {
  player.seek(slider.valueAsNumber);
  playOn();
});
follow.addEventListener("change", () =>
  panel.postMessage({ type: "follow", isFollowing: follow.checked }),
);
copy.addEventListener("click", () => panel.postMessage({ type: "copy" }));
map.addEventListener("click", (click) => {
  if (recording) {
    player.seek(stepAt(map, recording, click.offsetY));
    playOn();
  }
});
panel.postMessage({ type: "ready" });

function onMessage(message: ToPage): void {
  switch (message.type) {
    case "open":
      follow.checked = message.isFollowing;
      open(message.recording);
      break;
    case "begin":
      open(message.recording);
      break;
    case "step":
      recording?.steps.push(message.step);
      player.grow();
      break;
    case "ending":
      if (recording) {
        recording.ending = message.ending;
      }
      break;
    case "copied":
      copy.textContent = "Copied";
      window.setTimeout(() => {
        copy.textContent = "Copy as text";
      }, 2000);
      return;
  }
  drawSoon();
}

function open(opened: Recording | null): void {
  recording = opened;
  player.open(opened?.steps.length ?? 0);
}

/** Goes on playing if that is wanted, and draws. */
function playOn(): void {
  window.clearTimeout(timer);
  if (player.isPlaying) {
    timer = window.setTimeout(() => {
      player.tick();
      playOn();
    }, PLAY_EVERY_MS);
  }
  drawSoon();
}

/** Draws once for all that happens before the next frame. */
function drawSoon(): void {
  if (!isDrawing) {
    isDrawing = true;
    requestAnimationFrame(() => {
      isDrawing = false;
      draw();
    });
  }
}

function draw(): void {
  empty.hidden = recording !== null;
  whole.hidden = recording === null;
  if (!recording) {
    return;
  }
  const numSteps = recording.steps.length;
  const step = recording.steps[player.stepIdx];
  play.textContent = player.isPlaying ? "Pause" : "Play";
  play.disabled = numSteps < 2;
  slider.disabled = numSteps < 2;
  slider.max = String(Math.max(0, numSteps - 1));
  slider.valueAsNumber = Math.max(0, player.stepIdx);
  slider.setAttribute("aria-valuetext", `step ${player.stepIdx + 1} of ${numSteps}`);
  // What a screen reader says; ten times a second it would never end.
  summary.setAttribute("aria-live", player.isPlaying || !recording.ending ? "off" : "polite");
  summary.textContent = summaryOf(recording, player.stepIdx);
  drawTokens(canvas, step?.tokens ?? [], changedTokens(recording, player.stepIdx));
  shown.textContent = step?.stable ? `May be shown: ${step.stable}` : "";
  ending.textContent = endingText(recording);
  steps.hidden = numSteps === 0;
  if (step) {
    drawMap(map, recording, player.stepIdx);
  }
}

function endingText({ ending: end }: Recording): string {
  if (!end) {
    return "Denoising…";
  }
  return end.text ? `Offered: ${end.text}` : `Nothing was offered. ${end.message}`.trim();
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) {
    throw new Error(`The page has no ${type.name} named ${id}.`);
  }
  return found;
}
