/** Fails when what a browser loads is larger than promised. Both figures are of gzipped files. */

import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const root = new URL('..', import.meta.url);
const gzipped = (path) => gzipSync(readFileSync(new URL(path, root)), { level: 9 }).length;

const wasm = gzipped('pkg/kalam_link_bg.wasm');
const scripts = readdirSync(new URL('dist/', root), { recursive: true })
  .filter((path) => path.endsWith('.js') && !path.includes('node'))
  .reduce((sum, path) => sum + gzipped(`dist/${path}`), gzipped('pkg/kalam_link.js'));

let over = false;
for (const [what, bytes, limit] of [
  ['WASM', wasm, 250_000],
  ['JavaScript', scripts, 25_000],
]) {
  console.log(`${what}: ${bytes} bytes gzipped, of ${limit} allowed`);
  over ||= bytes > limit;
}
process.exit(over ? 1 : 0);
