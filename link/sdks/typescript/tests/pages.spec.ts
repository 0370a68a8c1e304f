/** The examples of docs/SDK.md run as they stand there, and print what they say they print. */

import { readFileSync } from 'node:fs';

import { expect, inject, test, vi } from 'vitest';

test('the_program_of_the_page_runs_and_prints_what_it_says', async () => {
  const program = new URL('./generated/sdk.ts', import.meta.url).pathname;
  const lines = readFileSync(program, 'utf8').matchAll(/\/\/ prints (.*)$/gm);
  const promised = [...lines].flatMap(([, said]) => (said ?? '').split('; prints '));
  const printed: string[] = [];
  const shown = (value: unknown): string => (typeof value === 'bigint' ? `${value}n` : String(value));
  const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => void printed.push(values.map(shown).join(' ')));
  process.env['KALAM_URL'] = inject('serverUrl');
  try {
    await import(/* @vite-ignore */ program);
  } finally {
    log.mockRestore();
  }
  expect(printed).toEqual(promised);
});
