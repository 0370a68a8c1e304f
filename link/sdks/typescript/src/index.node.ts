/** `kalam-link` for Node: the names, the same as for browsers. */

import { LinkedClient } from './live/client.js';
import type { ClientOptions, KalamClient } from './live/types.js';
import { node } from './platform/node.js';

/**
 * Makes a client. Nothing is loaded, sent or opened before something is asked of it.
 *
 * ```ts
 * const client = createClient({ url: 'http://127.0.0.1:2900', auth: { user: 'anna', password: 'secret words' } });
 * const stop = client.subscribe('SELECT * FROM chat.messages WHERE room = $1', ['lobby'], {}, (rows) => render(rows));
 * ```
 */
export function createClient(options: ClientOptions): KalamClient {
  return new LinkedClient(node, options);
}

export { KalamError } from './live/error.js';
export type { ClientErrorCode } from './live/error.js';
export type {
  Auth,
  Backoff,
  Cell,
  ChangeObserver,
  ClientOptions,
  Column,
  Connection,
  ConnectionState,
  DataType,
  Decoding,
  Json,
  KalamClient,
  LiveEvent,
  LiveOptions,
  LiveQuery,
  LiveSnapshot,
  OnChange,
  OnRows,
  Param,
  PasswordAuth,
  QueryResult,
  Row,
  RowsObserver,
  SeqId,
  SeqIdInput,
  Store,
  SubscribeOptions,
  Subscription,
  SubscriptionInfo,
  SubscriptionState,
  TokenAuth,
  TokenProvider,
  Undo,
  WasmSource,
} from './live/types.js';
