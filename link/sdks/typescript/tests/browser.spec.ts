/** The client in a browser: a bundled page with React, and one that loads the package's files as they are. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { KalamClient } from 'kalam-link';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';

import { launchBrowser, Pages } from './setup/browser.js';
import { notesTable, rootClient } from './setup/client.js';
import { Wire } from './setup/proxy.js';
import { ROOT_PASSWORD, ServerProcess } from './setup/server.js';

const packageFolder = new URL('..', import.meta.url).pathname;
let browser: Browser;
let bundle: string;
let bundled: Pages;

beforeAll(async () => {
  bundle = await mkdtemp(join(tmpdir(), 'kalam-page-'));
  // A default configuration, as a stranger's: the bundler has to find the WASM by itself.
  await build({
    root: join(packageFolder, 'tests/page'),
    configFile: false,
    logLevel: 'warn',
    build: { outDir: bundle, emptyOutDir: true, target: 'es2022' },
    resolve: {
      alias: [
        { find: 'kalam-link/react', replacement: join(packageFolder, 'dist/react.js') },
        { find: 'kalam-link', replacement: join(packageFolder, 'dist/index.js') },
      ],
    },
  });
  [browser, bundled] = await Promise.all([launchBrowser(), Pages.of(bundle)]);
});

afterAll(async () => {
  await Promise.all([browser.close(), bundled.close()]);
  await rm(bundle, { recursive: true, force: true });
});

/** A new page, in which nothing may go wrong unseen. */
async function newPage(): Promise<Page> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  onTestFinished(async () => {
    await page.close();
    expect(errors).toEqual([]);
  });
  return page;
}

async function openNotes(server: string, table: string): Promise<Page> {
  const page = await newPage();
  const query = new URLSearchParams({ server, table, password: ROOT_PASSWORD });
  await page.goto(`${bundled.url}/index.html?${query}`);
  return page;
}

/** Waits until the page shows exactly these notes, live. */
async function shows(page: Page, bodies: readonly string[]): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const list = document.querySelector('#notes[data-status=live]');
      return list && JSON.stringify([...list.children].map(({ textContent }) => textContent)) === JSON.stringify(wanted);
    },
    [...bodies],
  );
}

async function connectionIs(page: Page, status: string): Promise<void> {
  await page.waitForSelector(`main[data-connection=${status}]`);
}

test('us4_a_page_follows_a_query_and_its_socket_carries_one_subscription_in_strict_mode', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  await client.query(`INSERT INTO ${notes} VALUES (1, 'lobby', 'one'), (2, 'attic', 'two')`);
  const page = await openNotes(inject('serverUrl'), notes);
  await shows(page, ['one']);
  await client.query(`INSERT INTO ${notes} VALUES (3, 'lobby', 'three')`);
  await shows(page, ['one', 'three']);
  const sql = 'SELECT COUNT(*) AS n FROM system.live_queries WHERE query LIKE $1';
  const live = async () => (await client.query<{ n: bigint }>(sql, [`%${notes}%`])).rows[0]?.n;
  expect(await live()).toBe(1n);

  const ids = () => page.evaluate(() => (window as unknown as { client: KalamClient }).client.subscriptions().map(({ id }) => id));
  const before = await ids();
  await page.click('#render');
  await page.waitForSelector('main[data-renders="1"]');
  expect(await ids()).toEqual(before);

  await page.click('#attic');
  await shows(page, ['two']);
  // The query of the other room is left.
  while ((await live()) !== 1n);
  await page.click('#toggle');
  await page.waitForFunction(() => (window as unknown as { client: KalamClient }).client.subscriptions().length === 0);
  await page.click('#toggle');
  await shows(page, ['two']);
});

test('us4_a_page_that_goes_offline_and_online_ends_with_exactly_the_result_of_its_query', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  const wire = await Wire.to(inject('serverPort'));
  onTestFinished(() => wire.close());
  const page = await openNotes(wire.url, notes);
  await shows(page, []);
  for (let round = 0; round < 3; round += 1) {
    // Chromium's own switch leaves open sockets alone, so the wire is cut too.
    await page.context().setOffline(true);
    wire.cut();
    await connectionIs(page, 'waiting');
    await client.query(`INSERT INTO ${notes} VALUES ($1, 'lobby', $2)`, [round, `written in round ${round}`]);
    await client.query(`UPDATE ${notes} SET body = body || '!' WHERE id < $1`, [round]);
    if (round === 2) await client.query(`DELETE FROM ${notes} WHERE id = 0`);
    wire.mend();
    await page.context().setOffline(false);
    await connectionIs(page, 'live');
  }
  const { rows } = await client.query<{ body: string }>(`SELECT body FROM ${notes} ORDER BY id`);
  await shows(page, rows.map(({ body }) => body));
  expect(rows.map(({ body }) => body)).toEqual(['written in round 1!', 'written in round 2']);
});

test('us4_a_page_outlives_a_server_that_is_killed_and_started_again', async () => {
  const server = await ServerProcess.start();
  onTestFinished(() => server.remove());
  const client = rootClient({ url: server.url });
  const notes = await notesTable(client);
  await client.query(`INSERT INTO ${notes} VALUES (1, 'lobby', 'before')`);
  const page = await openNotes(server.url, notes);
  await shows(page, ['before']);
  await server.kill();
  await connectionIs(page, 'waiting');
  await server.startAgain();
  await connectionIs(page, 'live');
  await client.query(`INSERT INTO ${notes} VALUES (2, 'lobby', 'after')`);
  await shows(page, ['before', 'after']);
});

test('the_files_of_the_package_run_without_a_bundler_under_a_strict_policy', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  await client.query(`INSERT INTO ${notes} VALUES (9223372036854775807, 'lobby', 'hello')`);
  const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src *";
  const pages = await Pages.of(packageFolder, {
    '/plain.html': `<!doctype html><meta http-equiv="Content-Security-Policy" content="${policy}"><script type="module" src="/plain.js"></script>`,
    '/plain.js': "import * as kalam from '/dist/index.js'; window.kalam = kalam;",
  });
  onTestFinished(() => pages.close());
  const page = await newPage();
  await page.goto(`${pages.url}/plain.html`);
  await page.waitForFunction(() => 'kalam' in window);
  const told = await page.evaluate(
    async ({ url, password, table }) => {
      const { kalam } = window as unknown as { kalam: typeof import('kalam-link') };
      const client = kalam.createClient({ url, auth: { user: 'root', password } });
      const { rows } = await client.query<{ id: bigint; body: string }>(`SELECT id, body FROM ${table}`);
      const live = client.live<{ body: string }>(`SELECT body FROM ${table} WHERE room = $1`, ['lobby']);
      const first = await live[Symbol.asyncIterator]().next();
      const wrong = await client.query('SELEC').catch((error: unknown) => error);
      await client.disconnect();
      return {
        id: String(rows[0]?.id),
        live: first.done ? [] : first.value.map(({ body }) => body),
        wrong: wrong instanceof kalam.KalamError ? wrong.code : undefined,
        state: client.connection.state.status,
      };
    },
    { url: inject('serverUrl'), password: ROOT_PASSWORD, table: notes },
  );
  expect(told).toEqual({ id: '9223372036854775807', live: ['hello'], wrong: 'INVALID_SQL', state: 'closed' });
});
