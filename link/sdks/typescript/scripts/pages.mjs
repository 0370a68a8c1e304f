/**
 * Makes programs of the examples in the documentation: all `ts` blocks of a page are one program, each `tsx` block is a
 * module of its own. The type checker reads them all, and tests/pages.spec.ts runs the page of this package.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const workspace = new URL('../../../../', import.meta.url);
const out = new URL('../tests/generated/', import.meta.url);

rmSync(out, { recursive: true, force: true });
mkdirSync(out);
for (const [page, name] of [
  ['docs/SDK.md', 'sdk'],
  ['README.md', 'readme'],
]) {
  if (!existsSync(new URL(page, workspace))) continue;
  const text = readFileSync(new URL(page, workspace), 'utf8');
  const blocks = (language) => [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, code]) => code);
  const program = blocks('ts').join('\n');
  // The server of the tests is another one each time.
  const ours = program.replaceAll("'http://127.0.0.1:2900'", "process.env['KALAM_URL'] ?? ''");
  if (program !== '') writeFileSync(new URL(`${name}.ts`, out), `${ours}\nexport {};\n`);
  for (const [index, code] of blocks('tsx').entries()) writeFileSync(new URL(`${name}${index}.tsx`, out), code);
}
