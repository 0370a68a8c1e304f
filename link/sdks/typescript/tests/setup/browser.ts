/** Chromium, and a place that serves pages to it. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, extname, join } from 'node:path';

import { chromium, type Browser } from 'playwright-core';

/** The browser's program: what `KALAM_CHROMIUM` names, or the first known name on the path. */
function browserProgram(): string {
  const named = process.env['KALAM_CHROMIUM'];
  if (named !== undefined) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (found === undefined) throw new Error('there is no Chromium; scripts/setup.sh client installs it, or set KALAM_CHROMIUM');
  return found;
}

/** A browser without a window, with a profile of its own. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: browserProgram(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Serves the files of a folder. */
export class Pages {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Serves `folder`, and `pages` by their path in front of it. */
  static async of(folder: string, pages: Record<string, string> = {}): Promise<Pages> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      const type = TYPES[extname(path)] ?? 'application/octet-stream';
      const page = pages[path];
      const body = page === undefined ? readFile(join(folder, path)) : Promise.resolve(page);
      body.then(
        (bytes) => response.writeHead(200, { 'content-type': type }).end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Pages(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
