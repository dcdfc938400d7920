// What the panel and the page inside it say to each other.

import type { Change, Recording } from "./recording";

/** To the page. */
export type ToPage =
  /** All there is, once the page has loaded. */
  | { type: "open"; recording: Recording | null; isFollowing: boolean }
  | Change
  | { type: "copied" };

/** To the panel. */
export type ToPanel =
  | { type: "ready" }
  /** Whether the next request takes the place of the one looked at. */
  | { type: "follow"; isFollowing: boolean }
  | { type: "copy" };
