/**
 * The client that a program holds. It forwards to the WASM of the Rust crate `kalam-link`, which owns the whole life of
 * the connection, and turns what comes back into values of JavaScript.
 */

import { encodeParams, rowDecoder, toColumn } from './convert.js';
import { KalamError, toKalamError } from './error.js';
import { WantedQuery } from './query.js';
import { Observed } from './store.js';
import { eventSink, rowsSink, start } from './subscription.js';
import type {
  ChangeObserver,
  ClientOptions,
  Connection,
  ConnectionState,
  KalamClient,
  LiveOptions,
  LiveQuery,
  OnRows,
  Param,
  QueryResult,
  Row,
  RowsObserver,
  SeqIdInput,
  SubscribeOptions,
  Subscription,
  SubscriptionInfo,
} from './types.js';
import {
  openLink,
  type Link,
  type Platform,
  type WireConnection,
  type WireEvent,
  type WireOutcome,
  type WireRows,
  type WireSubscription,
} from './wasm.js';

/** Forwards to the WASM, which it loads when something is asked for the first time. */
export class LinkedClient implements KalamClient {
  readonly connection: Connection;
  readonly #connection = new Observed<ConnectionState>({ status: 'idle' });
  readonly #platform: Platform;
  readonly #options: ClientOptions;
  #opening: Promise<Link> | undefined;
  #link: Link | undefined;

  constructor(platform: Platform, options: ClientOptions) {
    this.#platform = platform;
    this.#options = options;
    const { getSnapshot, subscribe } = this.#connection;
    this.connection = {
      getSnapshot,
      subscribe,
      get state() {
        return getSnapshot();
      },
    };
  }

  async query<T = Row>(sql: string, params: readonly Param[] = []): Promise<QueryResult<T>> {
    const outcomes = await this.#execute<T>(sql, params);
    const last = outcomes.at(-1);
    if (last === undefined) throw new KalamError('BAD_ANSWER', 'the server gave no result');
    return last;
  }

  execute(sql: string, params: readonly Param[] = []): Promise<readonly QueryResult[]> {
    return this.#execute<Row>(sql, params);
  }

  subscribe<T = Row>(
    sql: string,
    params: readonly Param[],
    options: LiveOptions | SubscribeOptions,
    observer: OnRows<T> | RowsObserver<T> | ChangeObserver<T>,
  ): Subscription {
    const values = encodeParams(params);
    const settings = subscribeSettings(options);
    if (typeof observer === 'object' && 'onChange' in observer) {
      const begin = (link: Link, tell: (text: string) => unknown) => link.subscribe(sql, values, settings, tell);
      return start<WireEvent>(this.#open, begin, eventSink<T>(this.#options, observer.onChange), observer.onError);
    }
    const { onRows, onError } = typeof observer === 'function' ? { onRows: observer, onError: undefined } : observer;
    const begin = (link: Link, tell: (text: string) => unknown) => link.live(sql, values, settings, tell);
    return start<WireRows>(this.#open, begin, rowsSink<T>(this.#options, onRows), onError);
  }

  live<T = Row>(sql: string, params: readonly Param[] = [], options: LiveOptions = {}): LiveQuery<T> {
    return new WantedQuery<T>((observer) => this.subscribe<T>(sql, params, options, observer));
  }

  subscriptions(): readonly SubscriptionInfo[] {
    if (this.#link === undefined) return [];
    const list = JSON.parse(this.#link.subscriptions()) as WireSubscription[];
    return list.map(({ id, sql, state, last_seq: last }) => ({
      id,
      sql,
      state,
      lastSeq: last === undefined ? undefined : BigInt(last),
    }));
  }

  resume(id: string, from: SeqIdInput): Promise<void> {
    return this.#ask((link) => link.resume(id, String(from)));
  }

  unsubscribe(id: string): Promise<void> {
    return this.#ask((link) => link.unsubscribe(id));
  }

  waitFor(seq: SeqIdInput): Promise<void> {
    return this.#ask((link) => link.waitFor(String(seq)));
  }

  async disconnect(): Promise<void> {
    // Nothing was asked for yet, so there is nothing to end.
    if (this.#opening === undefined) return;
    await this.#ask((link) => link.disconnect());
  }

  async #execute<T>(sql: string, params: readonly Param[]): Promise<QueryResult<T>[]> {
    const values = encodeParams(params);
    const text = await this.#ask((link) => link.execute(sql, values));
    const outcomes = JSON.parse(text) as WireOutcome[];
    return outcomes.map((outcome) => ({
      rows: outcome.rows.map(rowDecoder<T>(outcome.columns, this.#options)),
      columns: outcome.columns.map(toColumn),
      rowCount: outcome.row_count,
      seq: outcome.seq === undefined ? undefined : BigInt(outcome.seq),
      message: outcome.message,
    }));
  }

  async #ask<A>(ask: (link: Link) => Promise<A>): Promise<A> {
    try {
      return await ask(await this.#open());
    } catch (error) {
      throw toKalamError(error);
    }
  }

  readonly #open = (): Promise<Link> => {
    this.#opening ??= this.#make().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  };

  async #make(): Promise<Link> {
    const { auth, wasm } = this.#options;
    const provider = typeof auth === 'function' ? async () => auth() : undefined;
    const link = await openLink(this.#platform, wasm, clientSettings(this.#options), provider);
    // Names the store only: what the WASM holds must not hold this client, or neither would ever be let go.
    const connection = this.#connection;
    link.watchConnection((text: string) => connection.set(toConnectionState(JSON.parse(text) as WireConnection)));
    this.#link = link;
    return link;
  }
}

/** The options as the WASM reads them. What is left out has its default there. */
function clientSettings(options: ClientOptions): string {
  const { auth, backoff = {} } = options;
  return JSON.stringify({
    url: options.url,
    namespace: options.namespace,
    credentials: typeof auth === 'function' ? undefined : auth,
    connect_timeout_ms: options.connectTimeoutMs,
    request_timeout_ms: options.requestTimeoutMs,
    backoff: { first_ms: backoff.firstMs, max_ms: backoff.maxMs, factor: backoff.factor, jitter: backoff.jitter },
  });
}

function subscribeSettings(options: SubscribeOptions): string {
  return JSON.stringify({
    id: options.id,
    namespace: options.namespace,
    batch_rows: options.batchRows,
    last_rows: options.lastRows,
    from: options.from === undefined ? undefined : String(options.from),
    without_snapshot: options.withoutSnapshot,
  });
}

function toConnectionState(wire: WireConnection): ConnectionState {
  switch (wire.status) {
    case 'idle':
    case 'connecting':
      return wire;
    case 'live':
      return {
        status: 'live',
        connectionId: wire.connection_id,
        user: wire.user,
        role: wire.role,
        expiresAt: new Date(wire.expires_at),
      };
    case 'waiting':
      return { status: 'waiting', attempt: wire.attempt, retryInMs: wire.retry_in_ms, reason: wire.reason };
    case 'closed':
      return { status: 'closed', reason: new KalamError(wire.reason.code, wire.reason.message, wire.reason) };
    default:
      wire satisfies never;
      throw new KalamError('BAD_ANSWER', 'the connection is in a state that nobody knows');
  }
}
