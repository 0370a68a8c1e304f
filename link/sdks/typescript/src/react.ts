/** `kalam-link/react`: hooks. They hold no state of their own; React reads the client's stores. */

import { useMemo, useSyncExternalStore } from 'react';

import { encodeParams } from './live/convert.js';
import { LOADING } from './live/query.js';
import type { ConnectionState, KalamClient, LiveOptions, LiveSnapshot, Param, Row } from './live/types.js';

/**
 * The rows of a query, current for as long as the component is there. The query begins anew only when the SQL, a
 * parameter's value or an option is another one; arrays and objects need not be the same ones in each render.
 *
 * On a server, and until the first rows are there, the status is `loading`.
 *
 * ```tsx
 * function Lobby({ client, room }: { client: KalamClient; room: string }) {
 *   const { rows } = useLiveQuery<Message>(client, 'SELECT * FROM chat.messages WHERE room = $1', [room]);
 *   return <ul>{rows.map((message) => <li key={String(message.id)}>{message.body}</li>)}</ul>;
 * }
 * ```
 */
export function useLiveQuery<T = Row>(
  client: KalamClient,
  sql: string,
  params: readonly Param[] = [],
  options: LiveOptions = {},
): LiveSnapshot<T> {
  const values = encodeParams(params);
  const settings = JSON.stringify([options.id, options.namespace, options.batchRows, options.lastRows]);
  const live = useMemo(() => client.live<T>(sql, params, options), [client, sql, values, settings]);
  return useSyncExternalStore(live.subscribe, live.getSnapshot, loading);
}

/** Where the client's connection is. */
export function useConnection(client: KalamClient): ConnectionState {
  return useSyncExternalStore(client.connection.subscribe, client.connection.getSnapshot, idle);
}

function loading(): typeof LOADING {
  return LOADING;
}

const IDLE: ConnectionState = { status: 'idle' };

function idle(): ConnectionState {
  return IDLE;
}
