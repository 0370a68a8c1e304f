/** What the types promise, checked by `tsc`; nothing of this file is ever run. */

import { createClient, type Cell, type ConnectionState, type KalamClient, type LiveEvent, type QueryResult, type Row } from 'kalam-link';
import { useLiveQuery } from 'kalam-link/react';

/** Are both types the same one? */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

function proves<T extends true>(): T | undefined {
  return undefined;
}

interface Note {
  readonly id: bigint;
  readonly body: string;
}

export async function promises(client: KalamClient): Promise<void> {
  const plain = await client.query('SELECT 1');
  proves<Same<typeof plain, QueryResult<Row>>>();
  const notes = await client.query<Note>('SELECT * FROM notes WHERE id = $1', [1n]);
  proves<Same<(typeof notes)['rows'], readonly Note[]>>();
  // A cell that may not be there is not taken for one that is.
  const cell = plain.rows[0]?.['one'];
  proves<Same<typeof cell, Cell | undefined>>();
  // @ts-expect-error rows are not to be changed
  notes.rows.push({ id: 1n, body: '' });
  // @ts-expect-error undefined is no value of SQL
  void client.query('SELECT $1', [undefined]);
  // @ts-expect-error the parameters are a list
  void client.query('SELECT $1', 1);

  const stop = client.subscribe<Note>('SELECT * FROM notes', [], { id: 'n' }, (rows) => {
    proves<Same<typeof rows, readonly Note[]>>();
  });
  proves<Same<ReturnType<typeof stop>, void>>();
  client.subscribe<Note>('SELECT * FROM notes', [], { from: 7n }, {
    onChange(event) {
      proves<Same<typeof event, LiveEvent<Note>>>();
      if (event.type === 'change') proves<Same<typeof event.oldRows, readonly Note[]>>();
      // @ts-expect-error only a change has old rows
      if (event.type === 'snapshot') void event.oldRows;
    },
  });
  // @ts-expect-error who wants the whole result cannot begin in the middle
  client.subscribe<Note>('SELECT * FROM notes', [], { from: 7n }, (rows) => void rows);
  // @ts-expect-error an option is left out, not undefined
  client.subscribe<Note>('SELECT * FROM notes', [], { id: undefined }, (rows) => void rows);

  for await (const rows of client.live<Note>('SELECT * FROM notes')) {
    proves<Same<typeof rows, readonly Note[]>>();
  }
  const snapshot = useLiveQuery<Note>(client, 'SELECT * FROM notes');
  if (snapshot.status === 'failed') void snapshot.error.code;
  else proves<Same<typeof snapshot.error, undefined>>();
}

/** Every state has its own fields, and the union is closed. */
export function describeState(state: ConnectionState): string {
  switch (state.status) {
    case 'idle':
      return 'idle';
    case 'connecting':
      return `attempt ${state.attempt}`;
    case 'live':
      return `${state.user} until ${state.expiresAt.toISOString()}`;
    case 'waiting':
      return `${state.reason}, again in ${state.retryInMs} ms`;
    case 'closed':
      return state.reason.message;
    default:
      return state satisfies never;
  }
}

export const clients = [
  createClient({ url: 'http://localhost:2900', auth: { user: 'anna', password: 'secret words' } }),
  createClient({ url: 'http://localhost:2900', auth: { token: 't' }, bigint: 'string', times: 'number' }),
  createClient({ url: 'http://localhost:2900', auth: async () => 'a fresh token' }),
  // @ts-expect-error who asks has to say who that is
  createClient({ url: 'http://localhost:2900' }),
];
