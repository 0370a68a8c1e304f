/** The client in Node, against a real server: many live queries on one socket, listed, resumed, lost and found. */

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { KalamError, type KalamClient, type LiveEvent } from 'kalam-link';
import { describe, expect, inject, onTestFinished, test } from 'vitest';

import { Inbox, notesTable, rootClient, until } from './setup/client.js';
import { Wire } from './setup/proxy.js';
import { freePort, ServerProcess } from './setup/server.js';

interface Note {
  readonly id: bigint;
  readonly room: string;
  readonly body: string;
}

/** Keeps the result of a query out of its events, as an application without `live` would. */
function keep(): { readonly rows: Map<string, Note>; readonly take: (event: LiveEvent<Note>) => void } {
  const rows = new Map<string, Note>();
  const put = (notes: readonly Note[], keys: readonly string[]): void => {
    for (const [index, note] of notes.entries()) rows.set(keys[index] ?? '', note);
  };
  const take = (event: LiveEvent<Note>): void => {
    switch (event.type) {
      case 'snapshot':
        return put(event.rows, event.keys);
      case 'change':
        for (const key of event.oldKeys) expect(rows.delete(key)).toBe(true);
        return put(event.rows, event.keys);
      case 'reset':
        return rows.clear();
      case 'paused':
      case 'active':
        return undefined;
      default:
        event satisfies never;
    }
  };
  return { rows, take };
}

/** Does the server still hold this connection? */
async function isOpen(watcher: KalamClient, connectionId: string): Promise<boolean> {
  const sql = 'SELECT connection_id FROM system.connections WHERE connection_id = $1';
  return (await watcher.query(sql, [connectionId])).rows.length > 0;
}

function connectionId(client: KalamClient): string {
  const { state } = client.connection;
  if (state.status !== 'live') throw new Error(`the connection is ${state.status}`);
  return state.connectionId;
}

test('fr009_list_subscriptions_names_every_one_with_its_sql_state_and_place', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  expect(client.subscriptions()).toEqual([]);
  const all = `SELECT * FROM ${notes}`;
  const lobby = `SELECT * FROM ${notes} WHERE room = $1`;
  const inbox = new Inbox<LiveEvent<Note>>();
  const first = client.subscribe<Note>(all, [], { id: 'all' }, { onChange: inbox.take });
  const second = client.subscribe<Note>(lobby, ['lobby'], { id: 'lobby' }, () => undefined);
  await Promise.all([first.ready, second.ready]);
  const { seq } = await client.query(`INSERT INTO ${notes} VALUES (1, 'lobby', 'hello')`);
  await client.waitFor(seq ?? 0n);
  const listed = client.subscriptions();
  expect(listed.map(({ id, sql, state }) => ({ id, sql, state }))).toEqual([
    { id: 'all', sql: all, state: 'active' },
    { id: 'lobby', sql: lobby, state: 'active' },
  ]);
  expect(listed[0]?.lastSeq).toBeGreaterThanOrEqual(seq ?? 0n);
  first();
  await client.unsubscribe('lobby');
  expect(client.subscriptions()).toEqual([]);
});

test('sc004_many_subscriptions_share_one_connection_that_opens_with_the_first', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  const wire = await Wire.to(inject('serverPort'));
  onTestFinished(() => wire.close());
  const follower = rootClient({ url: wire.url });
  await follower.query('SELECT 1 AS one');
  expect(follower.connection.state).toEqual({ status: 'idle' });

  const ready = Array.from({ length: 20 }, (_, room) =>
    follower.subscribe(`SELECT * FROM ${notes} WHERE room = $1`, [String(room)], {}, () => undefined),
  );
  const ids = await Promise.all(ready.map(async (subscription) => (await subscription.ready).id));
  expect(new Set(ids).size).toBe(20);
  expect(follower.connection.state).toMatchObject({ status: 'live', user: 'root', role: 'system' });
  const { rows } = await client.query<{ connection_id: string; n: bigint }>(
    `SELECT connection_id, COUNT(*) AS n FROM system.live_queries WHERE query LIKE $1 GROUP BY connection_id`,
    [`%${notes}%`],
  );
  expect(rows).toEqual([{ connection_id: connectionId(follower), n: 20n }]);
});

test('fr009_one_of_several_subscriptions_is_ended_and_the_others_go_on', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  const [ended, lasting] = [new Inbox<readonly Note[]>(), new Inbox<readonly Note[]>()];
  const stop = client.subscribe<Note>(`SELECT * FROM ${notes}`, [], {}, ended.take);
  const other = client.subscribe<Note>(`SELECT * FROM ${notes}`, [], {}, lasting.take);
  await Promise.all([stop.ready, other.ready]);
  await ended.next((rows) => rows.length === 0);
  stop();
  stop();
  const { seq } = await client.query(`INSERT INTO ${notes} VALUES (1, 'lobby', 'hello')`);
  await other.waitFor(seq ?? 0n);
  expect(lasting.all.at(-1)).toEqual([{ id: 1n, room: 'lobby', body: 'hello' }]);
  expect(ended.all).toEqual([[]]);
  await client.unsubscribe('nobody has this name');
});

test('fr013_resume_by_name_tells_the_changes_since_the_place_that_was_asked_for', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  const inbox = new Inbox<LiveEvent<Note>>();
  const live = client.subscribe<Note>(`SELECT * FROM ${notes}`, [], { id: 'resumed' }, { onChange: inbox.take });
  await live.ready;
  const seqs: bigint[] = [];
  for (const id of [1, 2, 3]) {
    seqs.push((await client.query(`INSERT INTO ${notes} VALUES ($1, 'lobby', 'hello')`, [id])).seq ?? 0n);
  }
  await live.waitFor(seqs[2] ?? 0n);
  const before = inbox.all.length;
  await client.resume('resumed', seqs[0] ?? 0n);
  await client.waitFor(seqs[2] ?? 0n);
  await inbox.next((event) => inbox.all.indexOf(event) >= before && event.type === 'change' && event.seq === seqs[2]);
  const again = inbox.all.slice(before).flatMap((event) => (event.type === 'change' ? event.rows.map(({ id }) => id) : []));
  expect(again).toEqual([2n, 3n]);
});

test('fr013_a_program_that_begins_again_with_its_last_place_gets_what_it_missed_and_nothing_else', async () => {
  const writer = rootClient();
  const notes = await notesTable(writer);
  const first = await writer.query(`INSERT INTO ${notes} VALUES (1, 'lobby', 'seen')`);
  const second = await writer.query(`INSERT INTO ${notes} VALUES (2, 'lobby', 'missed')`);
  const reader = rootClient();
  const inbox = new Inbox<LiveEvent<Note>>();
  const from = JSON.parse(JSON.stringify(String(first.seq))) as string;
  reader.subscribe<Note>(`SELECT * FROM ${notes}`, [], { from }, { onChange: inbox.take });
  await inbox.next((event) => event.type === 'change');
  expect(inbox.all.filter(({ type }) => type !== 'active')).toEqual([
    {
      type: 'change',
      kind: 'insert',
      rows: [{ id: 2n, room: 'lobby', body: 'missed' }],
      keys: [expect.any(String)],
      oldRows: [],
      oldKeys: [],
      seq: second.seq,
    },
  ]);
});

describe('a connection that breaks', () => {
  test('fr012_comes_back_by_itself_and_every_live_query_ends_with_exactly_its_result', async () => {
    const writer = rootClient();
    const notes = await notesTable(writer);
    const wire = await Wire.to(inject('serverPort'));
    onTestFinished(() => wire.close());
    const reader = rootClient({ url: wire.url });
    const kept = keep();
    const changes = reader.subscribe<Note>(`SELECT * FROM ${notes}`, [], {}, { onChange: kept.take });
    const live = reader.live<Note>(`SELECT * FROM ${notes} WHERE room = $1 ORDER BY body DESC`, ['lobby']);
    const forget = live.subscribe(() => undefined);
    onTestFinished(forget);
    await changes.ready;
    let seq = 0n;
    for (let round = 0; round < 5; round += 1) {
      await until(reader.connection, ({ status }) => status === 'live');
      wire.cut();
      await until(reader.connection, ({ status }) => status !== 'live');
      const room = round % 2 === 0 ? 'lobby' : 'attic';
      await writer.query(`INSERT INTO ${notes} VALUES ($1, $2, $3)`, [round, room, `body ${round}`]);
      await writer.query(`UPDATE ${notes} SET body = body || '!' WHERE id < $1`, [round]);
      const written = await writer.query(`DELETE FROM ${notes} WHERE id = $1`, [round - 3]);
      seq = written.seq ?? seq;
      wire.mend();
    }
    await Promise.all([changes.waitFor(seq), live.waitFor(seq)]);
    const all = await writer.query<Note>(`SELECT * FROM ${notes} ORDER BY id`);
    expect([...kept.rows.values()].sort((a, b) => Number(a.id - b.id))).toEqual(all.rows);
    const lobby = await writer.query<Note>(`SELECT * FROM ${notes} WHERE room = 'lobby' ORDER BY body DESC`);
    expect(live.getSnapshot()).toEqual({ status: 'live', rows: lobby.rows, error: undefined });
    expect(reader.subscriptions()).toHaveLength(2);
  });

  test('fr012_survives_kill_9_of_the_server_and_a_start_on_the_same_data', async () => {
    const server = await ServerProcess.start();
    onTestFinished(() => server.remove());
    const client = rootClient({ url: server.url });
    const notes = await notesTable(client);
    const live = client.live<Note>(`SELECT * FROM ${notes} ORDER BY id`);
    onTestFinished(live.subscribe(() => undefined));
    await client.query(`INSERT INTO ${notes} VALUES (1, 'lobby', 'before')`);
    await until(live, ({ rows }) => rows.length === 1);
    await server.kill();
    await until(client.connection, ({ status }) => status === 'waiting');
    await server.startAgain();
    await until(client.connection, ({ status }) => status === 'live');
    const { seq } = await client.query(`INSERT INTO ${notes} VALUES (2, 'lobby', 'after')`);
    await live.waitFor(seq ?? 0n);
    expect(live.getSnapshot().rows.map(({ body }) => body)).toEqual(['before', 'after']);
  });

  test('fr012_asks_the_provider_for_a_token_again_before_it_comes_back', async () => {
    const wire = await Wire.to(inject('serverPort'));
    onTestFinished(() => wire.close());
    let asked = 0;
    const login = async (): Promise<string> => {
      asked += 1;
      const answer = await fetch(`${inject('serverUrl')}/v1/api/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user: 'root', password: 'correct horse battery staple' }),
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const client = rootClient({ url: wire.url, auth: login });
    const notes = await notesTable(client);
    await client.subscribe(`SELECT * FROM ${notes}`, [], {}, () => undefined).ready;
    const before = asked;
    wire.cut();
    await until(client.connection, ({ status }) => status === 'waiting');
    wire.mend();
    await until(client.connection, ({ status }) => status === 'live');
    expect(asked).toBeGreaterThan(before);
  });
});

describe('rows that are kept', () => {
  test('stay_in_the_order_of_the_query_and_are_the_same_objects_until_they_change', async () => {
    const client = rootClient();
    const notes = await notesTable(client);
    await client.query(`INSERT INTO ${notes} VALUES (1, 'lobby', 'b'), (2, 'lobby', 'd'), (3, 'lobby', 'f')`);
    const live = client.live<Note>(`SELECT * FROM ${notes} ORDER BY body`);
    onTestFinished(live.subscribe(() => undefined));
    const before = (await until(live, ({ status }) => status === 'live')).rows;
    expect(before.map(({ body }) => body)).toEqual(['b', 'd', 'f']);
    const moved = await client.query(`UPDATE ${notes} SET body = 'a' WHERE id = 3`);
    await live.waitFor(moved.seq ?? 0n);
    const after = live.getSnapshot().rows;
    expect(after.map(({ body }) => body)).toEqual(['a', 'b', 'd']);
    expect(after[1]).toBe(before[0]);
    expect(after[2]).toBe(before[1]);
    expect(before.map(({ body }) => body)).toEqual(['b', 'd', 'f']);
  });

  test('can_be_iterated_and_a_reader_that_is_slow_gets_the_newest', async () => {
    const client = rootClient();
    const notes = await notesTable(client);
    const live = client.live<Note>(`SELECT * FROM ${notes}`);
    const lengths: number[] = [];
    for await (const rows of live) {
      lengths.push(rows.length);
      if (rows.length >= 3) break;
      let last = 0n;
      for (const id of [1, 2, 3]) last = (await client.query(`INSERT INTO ${notes} VALUES ($1, 'r', 'b')`, [id])).seq ?? last;
      await live.waitFor(last);
    }
    expect(lengths).toEqual([0, 3]);
    await until(client.connection, () => true);
  });

  test('are_asked_for_only_while_somebody_listens', async () => {
    const client = rootClient();
    const notes = await notesTable(client);
    const live = client.live<Note>(`SELECT * FROM ${notes}`, [], { id: 'wanted' });
    expect(client.subscriptions()).toEqual([]);
    const forget = live.subscribe(() => undefined);
    await until(live, ({ status }) => status === 'live');
    expect(client.subscriptions().map(({ id }) => id)).toEqual(['wanted']);
    forget();
    // Taken away and put back in one breath: the query goes on.
    const again = live.subscribe(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(live.getSnapshot().status).toBe('live');
    again();
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(client.subscriptions()).toEqual([]);
  });

  test('of_a_query_that_fails_tell_why', async () => {
    const client = rootClient();
    const live = client.live('SELECT * FROM nowhere.nothing');
    onTestFinished(live.subscribe(() => undefined));
    const failed = await until(live, ({ status }) => status === 'failed');
    expect(failed.error).toBeInstanceOf(KalamError);
    expect(failed.error?.code).toBe('NOT_FOUND');
    await expect(live[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('errors', () => {
  test('of_sql_come_with_code_and_position_and_leave_the_connection_alone', async () => {
    const client = rootClient();
    const errors = new Inbox<KalamError>();
    const notes = await notesTable(client);
    const fine = client.subscribe(`SELECT * FROM ${notes}`, [], {}, () => undefined);
    const wrong = client.subscribe('SELECT FROM WHERE', [], {}, { onRows: () => undefined, onError: errors.take });
    await expect(wrong.ready).rejects.toMatchObject({ name: 'KalamError', code: 'INVALID_SQL' });
    expect((await errors.next(() => true)).code).toBe('INVALID_SQL');
    await fine.ready;
    expect(client.connection.state.status).toBe('live');
    await expect(client.query('SELEC 1')).rejects.toMatchObject({ code: 'INVALID_SQL', position: expect.any(Number) });
    await expect(client.execute('SELECT 1; SELECT * FROM nowhere.nothing')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: 'statement 2 of 2',
    });
  });

  test('of_a_wrong_password_end_the_attempts', async () => {
    const client = rootClient({ auth: { user: 'root', password: 'wrong words' } });
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: 'AUTH_FAILED' });
    const errors = new Inbox<KalamError>();
    client.subscribe('SELECT 1 AS one', [], {}, { onRows: () => undefined, onError: errors.take });
    expect((await errors.next(() => true)).code).toBe('AUTH_FAILED');
    expect(client.connection.state).toMatchObject({ status: 'closed', reason: { code: 'AUTH_FAILED' } });
  });

  test('of_a_server_that_is_not_there_are_network_errors', async () => {
    const client = rootClient({ url: `http://127.0.0.1:${await freePort()}` });
    const message = expect.stringContaining('ECONNREFUSED');
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: 'NETWORK', message });
  });

  test('us3_a_killed_connection_says_so_and_does_not_come_back_by_itself', async () => {
    const [admin, victim] = [rootClient(), rootClient()];
    const errors = new Inbox<KalamError>();
    const notes = await notesTable(admin);
    const live = victim.subscribe(`SELECT * FROM ${notes}`, [], {}, { onRows: () => undefined, onError: errors.take });
    await live.ready;
    await admin.query(`KILL CONNECTION '${connectionId(victim)}'`);
    expect((await errors.next(() => true)).code).toBe('CONNECTION_KILLED');
    expect(victim.connection.state).toMatchObject({ status: 'closed', reason: { code: 'CONNECTION_KILLED' } });
  });
});

test('s14_values_travel_beside_the_sql_and_never_become_part_of_it', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  const nasty = `'); DROP TABLE ${notes}; --`;
  const { seq } = await client.query(`INSERT INTO ${notes} VALUES ($1, $2, $3)`, [1n, nasty, '$1']);
  const live = client.live<Note>(`SELECT * FROM ${notes} WHERE room = $1`, [nasty]);
  await live.waitFor(seq ?? 0n);
  const { rows } = await client.query<Note>(`SELECT * FROM ${notes} WHERE room = $1`, [nasty]);
  expect(rows).toEqual([{ id: 1n, room: nasty, body: '$1' }]);
  const told = await until(live, ({ status }) => status === 'live');
  expect(told.rows).toEqual(rows);
  expect(client.subscriptions().every(({ sql }) => !sql.includes('DROP'))).toBe(true);
});

test('fr011_no_socket_no_backoff_and_no_login_is_written_in_typescript', () => {
  const folder = new URL('../src/', import.meta.url).pathname;
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  expect(sources.length).toBeGreaterThan(8);
  for (const path of sources) {
    // The words that a second copy of the connection's life could not do without.
    expect(readFileSync(join(folder, path), 'utf8')).not.toMatch(/new WebSocket|\.onmessage|\.onclose|fetch\(|auth\/login|Math\.random|setInterval/);
  }
});

test('cells_come_as_was_asked_for_and_parameters_of_every_type_arrive', async () => {
  const plain = rootClient();
  const exact = rootClient({ bigint: 'string', times: 'number' });
  const notes = await notesTable(plain);
  await plain.execute(`
    CREATE SHARED TABLE ${notes}_typed (big BIGINT PRIMARY KEY, at TIMESTAMP, day DATE, bytes BYTES, doc JSON, yes BOOLEAN, none TEXT)`);
  const at = new Date('2030-01-01T12:00:00.123Z');
  const bytes = new Uint8Array([0, 255]);
  const params = [9223372036854775807n, at, '2030-12-31', bytes, { a: [1, 'x'] }, true, null];
  await plain.query(`INSERT INTO ${notes}_typed VALUES ($1, $2, $3, $4, $5, $6, $7)`, params);
  const row = { big: 9223372036854775807n, at, day: '2030-12-31', bytes, doc: { a: [1, 'x'] }, yes: true, none: null };
  expect((await plain.query(`SELECT * FROM ${notes}_typed WHERE big = $1`, [row.big])).rows).toEqual([row]);
  const live = await until(plain.live(`SELECT * FROM ${notes}_typed WHERE at = $1`, [at]), ({ status }) => status === 'live');
  expect(live.rows).toEqual([row]);
  expect((await exact.query(`SELECT * FROM ${notes}_typed`)).rows).toMatchObject([
    { big: '9223372036854775807', at: at.getTime() * 1000, day: 22_279 },
  ]);
});

test('a_program_that_only_asks_ends_by_itself', async () => {
  const program = `
    import { createClient } from 'kalam-link';
    const client = createClient({ url: process.env.KALAM_URL, auth: { user: 'root', password: process.env.KALAM_PASSWORD } });
    console.log((await client.query('SELECT 42 AS answer')).rows[0].answer);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: new URL('..', import.meta.url).pathname,
    env: { ...process.env, KALAM_URL: inject('serverUrl'), KALAM_PASSWORD: 'correct horse battery staple' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (text) => (printed += String(text)));
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  expect(printed.trim()).toBe('42n');
});

test('what_cannot_be_is_an_error_of_the_argument', async () => {
  const client = rootClient();
  const code = 'INVALID_ARGUMENT';
  await expect(client.resume('nobody has this name', 1n)).rejects.toMatchObject({ code });
  await expect(client.resume('nobody has this name', 'not a place')).rejects.toMatchObject({ code });
  await expect(rootClient({ url: 'nowhere' }).query('SELECT 1')).rejects.toMatchObject({ code });
  await expect(client.query('SELECT $1', [Number.NaN])).rejects.toMatchObject({ code });
  const partial: object = { from: 1n };
  const quiet = { onRows: () => undefined, onError: () => undefined };
  await expect(client.subscribe('SELECT 1 AS one', [], partial, quiet).ready).rejects.toMatchObject({ code });
  const notes = await notesTable(client);
  const first = client.subscribe(`SELECT * FROM ${notes}`, [], { id: 'once' }, () => undefined);
  await first.ready;
  const second = client.subscribe(`SELECT * FROM ${notes}`, [], { id: 'once' }, quiet);
  await expect(second.ready).rejects.toMatchObject({ code });
  expect(client.subscriptions().map(({ id }) => id)).toEqual(['once']);
});

test('fr009_disconnect_ends_every_subscription_and_a_later_one_opens_the_connection_again', async () => {
  const [client, watcher] = [rootClient(), rootClient()];
  const errors = new Inbox<KalamError>();
  await client.subscribe('SELECT 1 AS one', [], {}, { onRows: () => undefined, onError: errors.take }).ready;
  const first = connectionId(client);
  expect(await isOpen(watcher, first)).toBe(true);
  await client.disconnect();
  expect((await errors.next(() => true)).code).toBe('CLOSED');
  expect(client.connection.state.status).toBe('closed');
  expect(client.subscriptions()).toEqual([]);
  while (await isOpen(watcher, first));
  await client.subscribe('SELECT 1 AS one', [], {}, () => undefined).ready;
  expect(connectionId(client)).not.toBe(first);
});

test('the_next_event_waits_until_the_program_is_done_with_the_last', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  let busy = 0;
  const seen: bigint[] = [];
  const done = new Inbox<bigint>();
  const live = client.subscribe<Note>(`SELECT * FROM ${notes}`, [], {}, {
    onChange: async (event) => {
      expect((busy += 1)).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      busy -= 1;
      if (event.type !== 'change') return;
      seen.push(event.seq);
      done.take(event.seq);
    },
  });
  await live.ready;
  const seqs: bigint[] = [];
  for (const id of [1, 2, 3, 4, 5]) {
    seqs.push((await client.query(`INSERT INTO ${notes} VALUES ($1, 'r', 'b')`, [id])).seq ?? 0n);
  }
  await done.next((seq) => seq === seqs.at(-1));
  expect(seen).toEqual(seqs);
});

test('rows_that_are_kept_are_the_result_after_whatever_was_written', async () => {
  const client = rootClient();
  const notes = await notesTable(client);
  const sql = `SELECT * FROM ${notes} WHERE room <> 'attic' ORDER BY body, id`;
  const live = client.live<Note>(sql);
  let torn: readonly Note[] | undefined;
  onTestFinished(
    live.subscribe(() => {
      const { rows } = live.getSnapshot();
      const sorted = rows.every((row, at) => at === 0 || (rows[at - 1]?.body ?? '') <= row.body);
      if (!sorted || new Set(rows.map(({ id }) => id)).size !== rows.length) torn = rows;
    }),
  );
  // A generator of its own, so that a failure can be had again.
  let seed = 1;
  const below = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit;
  let seq = 0n;
  for (let step = 0; step < 80; step += 1) {
    const [id, room, body] = [below(12), ['lobby', 'attic', 'roof'][below(3)] ?? '', 'abcdef'[below(6)] ?? ''];
    const written = await (below(4) === 0
      ? client.query(`DELETE FROM ${notes} WHERE id % 4 = $1`, [below(4)])
      : client.query(`INSERT INTO ${notes} VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET room = $2, body = $3`, [id, room, body]));
    seq = written.seq ?? seq;
  }
  await live.waitFor(seq);
  expect(torn).toBeUndefined();
  expect(live.getSnapshot().rows).toEqual((await client.query<Note>(sql)).rows);
});
