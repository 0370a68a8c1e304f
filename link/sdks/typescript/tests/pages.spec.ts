/** The examples of the documentation run as they stand there, and print what they say they print. */

import { existsSync, readFileSync } from 'node:fs';

import { expect, inject, test, vi } from 'vitest';

const folder = new URL('./generated/', import.meta.url);
const pages = ['sdk', 'readme'].filter((name) => existsSync(new URL(`${name}.ts`, folder)));

test.each(pages)('the_program_of_page_%s_runs_and_prints_what_it_says', async (name) => {
  const text = readFileSync(new URL(`${name}.ts`, folder), 'utf8');
  const promised = [...text.matchAll(/\/\/ prints (.*)$/gm)].flatMap(([, said]) => (said ?? '').split('; prints '));
  const printed: string[] = [];
  const shown = (value: unknown): string => (typeof value === 'bigint' ? `${value}n` : String(value));
  const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => void printed.push(values.map(shown).join(' ')));
  process.env['KALAM_URL'] = inject('serverUrl');
  try {
    await import(/* @vite-ignore */ new URL(`${name}.ts`, folder).pathname);
  } finally {
    log.mockRestore();
  }
  expect(printed).toEqual(promised);
});
