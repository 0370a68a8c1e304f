/** Browsers, and whatever has a WebSocket of its own and fetches files by URL. */

import type { Platform } from '../live/wasm.js';

export const browser: Platform = {
  async webSocket() {
    return globalThis.WebSocket;
  },
  async wasm() {
    // Found by the generated module, in a way that bundlers understand.
    return undefined;
  },
  whenOnline(tell) {
    globalThis.addEventListener?.('online', tell);
  },
};
