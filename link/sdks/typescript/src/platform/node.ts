/** Node: the WASM is a file beside this one, and before version 22 there is no WebSocket. */

import { readFile } from 'node:fs/promises';

import type { Platform } from '../live/wasm.js';

export const node: Platform = {
  async webSocket() {
    return globalThis.WebSocket ?? (await import('ws')).WebSocket;
  },
  async wasm() {
    const bytes = await readFile(new URL('../../pkg/kalam_link_bg.wasm', import.meta.url));
    return new Uint8Array(bytes);
  },
};
