// Notes what stands in the cursor's line right after every frame was painted, and when each key
// came. Needs screen.js in the same page. Knows nothing of what is made of it.

(() => {
  let frames = [];
  let keys = [];
  let frameIdx = 0;
  let isRunning = false;
  let last = "";

  // A message sent in a frame's callbacks arrives right after the frame was painted.
  const painted = new MessageChannel();
  painted.port1.onmessage = () => {
    frameIdx += 1;
    const line = window.infillScreen.cursorLine();
    const ghost = window.infillScreen.ghostText();
    const state = JSON.stringify([line, ghost]);
    if (state !== last) {
      last = state;
      frames.push({ atMs: performance.now(), frameIdx, line, ghost });
    }
  };

  const onFrame = () => {
    if (isRunning) {
      painted.port2.postMessage(null);
      requestAnimationFrame(onFrame);
    }
  };

  // The event's own time: that of the key, not of when the page came to it.
  window.addEventListener("keydown", (event) => keys.push({ atMs: event.timeStamp }), true);

  window.infillFrames = {
    start() {
      [frames, keys, frameIdx, last, isRunning] = [[], [], 0, "", true];
      requestAnimationFrame(onFrame);
    },
    stop() {
      isRunning = false;
      return { frames, keys, numFrames: frameIdx };
    },
  };
})();
