/**
 * What a program that uses `kalam-link` can name: options, rows, events, states and errors.
 *
 * Nothing here has behaviour. What moves between the states is decided in Rust (`link/src/state`).
 */

import type { KalamError } from './error.js';

/** A user's name and password. The client logs in with them, and again whenever it has to. */
export interface PasswordAuth {
  readonly user: string;
  readonly password: string;
}

/** An access token that was obtained elsewhere. When it has expired the client cannot come back by itself. */
export interface TokenAuth {
  readonly token: string;
}

/**
 * Gives an access token. It is asked before the first request, before every reconnect and before the token in use
 * expires, so it should return a fresh one each time.
 */
export type TokenProvider = () => string | Promise<string>;

/** How the client proves who it is. */
export type Auth = PasswordAuth | TokenAuth | TokenProvider;

/** How long to wait before the next attempt to connect: `firstMs · factorⁿ`, at most `maxMs`, shortened by chance. */
export interface Backoff {
  /** Wait after the first failure, in milliseconds. */
  readonly firstMs?: number;
  /** Longest wait, in milliseconds. */
  readonly maxMs?: number;
  /** By how much each wait is longer than the one before. */
  readonly factor?: number;
  /** Share of the wait that is left to chance, 0 to 1, so that many clients do not come back at the same moment. */
  readonly jitter?: number;
}

/**
 * Where the WASM comes from, for those whose bundler cannot find it by itself: an address (text or `URL`), bytes
 * (`Uint8Array`, `ArrayBuffer`), a `Response`, or a compiled `WebAssembly.Module`.
 */
export type WasmSource = string | object;

/** How cells become JavaScript values. */
export interface Decoding {
  /** BIGINT and `_seq`: a `bigint` (the default), or the digits as a `string`. Never a `number`, which is not exact. */
  readonly bigint?: 'bigint' | 'string';
  /**
   * TIMESTAMP, DATETIME, DATE and TIME. `date` (the default): the first two become a `Date`, which holds milliseconds,
   * DATE becomes `2030-12-31` and TIME `23:59:59.999999`. `number`: the numbers of the wire, microseconds and days.
   */
  readonly times?: 'date' | 'number';
}

/** What {@link createClient} takes. */
export interface ClientOptions extends Decoding {
  /** Where the server is, such as `https://db.example.com`. */
  readonly url: string;
  /** How to prove who is asking. */
  readonly auth: Auth;
  /** Namespace of table names that are written without one. */
  readonly namespace?: string;
  /** Time for one attempt to connect, in milliseconds. */
  readonly connectTimeoutMs?: number;
  /** Time for one request, in milliseconds. */
  readonly requestTimeoutMs?: number;
  /** How reconnects are spaced. */
  readonly backoff?: Backoff;
  /** Where the WASM is. Left out, it is found beside the package's own files. */
  readonly wasm?: WasmSource;
}

/** Place in the order of all commits. It only grows; a client can come back to it. */
export type SeqId = bigint;

/** A {@link SeqId} as it may be given: it survives JSON as digits in a string. */
export type SeqIdInput = bigint | number | string;

/** A value of a JSON column. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A cell as it arrives; which of these it is the column's type and {@link Decoding} say. */
export type Cell = Json | bigint | Date | Uint8Array;

/** A row, when nothing more exact was said. */
export type Row = { readonly [column: string]: Cell };

/** A value for `$1`, `$2` … Instants are sent as RFC 3339, bytes as base64, big integers as digits. */
export type Param = null | boolean | number | bigint | string | Date | Uint8Array | readonly Json[] | { readonly [key: string]: Json };

/** Type of a column. */
export type DataType =
  | 'Boolean'
  | 'SmallInt'
  | 'Int'
  | 'BigInt'
  | 'Float'
  | 'Double'
  | 'Text'
  | 'Timestamp'
  | 'DateTime'
  | 'Date'
  | 'Time'
  | 'Json'
  | 'Bytes'
  | 'Uuid'
  | { readonly Decimal: { readonly precision: number; readonly scale: number } };

/** A column of a result. */
export interface Column {
  readonly name: string;
  readonly type: DataType;
  /** Part of the primary key. */
  readonly primaryKey: boolean;
}

/** What one statement gave. */
export interface QueryResult<T = Row> {
  readonly rows: readonly T[];
  readonly columns: readonly Column[];
  /** Rows returned, or affected by a write. */
  readonly rowCount: number;
  /** The commit that a write made. `waitFor` it to see it in the live queries. */
  readonly seq: SeqId | undefined;
  /** For people. */
  readonly message: string | undefined;
}

/** Where a live query begins, and what it is called. */
export interface SubscribeOptions {
  /** A name of your own for `resume`, `unsubscribe` and `subscriptions`. Left out, one is made. */
  readonly id?: string;
  /** Namespace of table names written without one, for this query. */
  readonly namespace?: string;
  /** Rows per page of the first snapshot. */
  readonly batchRows?: number;
  /** Begin with the rows that were written last, this many. */
  readonly lastRows?: number;
  /** Begin with the changes after this place instead of a snapshot. */
  readonly from?: SeqIdInput;
  /** Begin with nothing: only what changes from now on. */
  readonly withoutSnapshot?: boolean;
}

/** Options of a query whose rows are kept: it needs them all, so it always begins with a snapshot. */
export interface LiveOptions {
  /** A name of your own for `resume`, `unsubscribe` and `subscriptions`. Left out, one is made. */
  readonly id?: string;
  /** Namespace of table names written without one, for this query. */
  readonly namespace?: string;
  /** Rows per page of the first snapshot. */
  readonly batchRows?: number;
  /** Begin with the rows that were written last, this many. */
  readonly lastRows?: number;
}

/**
 * What happens to a live query, in the order of commits. Who applies the events one by one holds the query's result as
 * of every `seq` on the way. A key says which row of the result one is, in one event and in the next.
 */
export type LiveEvent<T = Row> =
  /** A page of the result as it was at `seq`. Changes come only after the last page. */
  | {
      readonly type: 'snapshot';
      readonly rows: readonly T[];
      readonly keys: readonly string[];
      readonly first: boolean;
      readonly last: boolean;
      readonly seq: SeqId;
    }
  /** All that one commit did: take out `oldRows`, put in `rows`. */
  | {
      readonly type: 'change';
      readonly kind: 'insert' | 'update' | 'delete';
      readonly rows: readonly T[];
      readonly keys: readonly string[];
      readonly oldRows: readonly T[];
      readonly oldKeys: readonly string[];
      readonly seq: SeqId;
    }
  /** What was told so far is void: the server no longer had what was missed. A snapshot of the whole result follows. */
  | { readonly type: 'reset' }
  /** Nothing new comes for now: the connection is lost, or the server is catching up. What was told still holds. */
  | { readonly type: 'paused'; readonly reason: string }
  /** It goes on, and nothing was missed. */
  | { readonly type: 'active' };

/** How a live query is doing; `paused` while there is no connection or while the reader catches up. */
export type SubscriptionState = 'starting' | 'loading' | 'active' | 'paused';

/** A live query as {@link KalamClient.subscriptions} lists it. */
export interface SubscriptionInfo {
  readonly id: string;
  readonly sql: string;
  readonly state: SubscriptionState;
  /** The program was told everything up to here; where to resume from. */
  readonly lastSeq: SeqId | undefined;
}

/** Where the connection is. */
export type ConnectionState =
  /** Not needed yet: it opens with the first subscription. */
  | { readonly status: 'idle' }
  | { readonly status: 'connecting'; readonly attempt: number }
  | {
      readonly status: 'live';
      readonly connectionId: string;
      readonly user: string;
      readonly role: string;
      readonly expiresAt: Date;
    }
  | { readonly status: 'waiting'; readonly attempt: number; readonly retryInMs: number; readonly reason: string }
  /** For good: by the program, by an administrator, or because the credentials are not accepted. */
  | { readonly status: 'closed'; readonly reason: KalamError };

/** Ends what it was given out for. Calling it twice does nothing. */
export type Undo = () => void;

/** A value that changes, in the form that React, Svelte and Vue know. */
export interface Store<T> {
  /** The value now; the same object until it changes. */
  readonly getSnapshot: () => T;
  /** Calls `listener` after each change until the returned function is called. */
  readonly subscribe: (listener: () => void) => Undo;
}

/** The rows of a live query as they are now. */
export type LiveSnapshot<T = Row> =
  /** They are on their way; `rows` holds what was there before, if anything. */
  | { readonly status: 'loading'; readonly rows: readonly T[]; readonly error: undefined }
  | { readonly status: 'live'; readonly rows: readonly T[]; readonly error: undefined }
  /** The query has ended; `rows` are the last that were there. */
  | { readonly status: 'failed'; readonly rows: readonly T[]; readonly error: KalamError };

/** Takes the whole result, in order, each time it has changed. Rows that did not change stay the same objects. */
export type OnRows<T = Row> = (rows: readonly T[]) => void | Promise<void>;

/** Takes each event. The next one waits until a returned promise is settled. */
export type OnChange<T = Row> = (event: LiveEvent<T>) => void | Promise<void>;

/** Wants the whole result after each change. */
export interface RowsObserver<T = Row> {
  readonly onRows: OnRows<T>;
  /** The query could not begin, or has ended by itself. Left out, it is reported as an uncaught error, unless `ready` tells it. */
  readonly onError?: (error: KalamError) => void;
}

/** Wants each commit. */
export interface ChangeObserver<T = Row> {
  readonly onChange: OnChange<T>;
  /** The query could not begin, or has ended by itself. Left out, it is reported as an uncaught error, unless `ready` tells it. */
  readonly onError?: (error: KalamError) => void;
}

/** A running subscription: call it to end it. */
export interface Subscription {
  /** Ends the subscription; the others go on. Nothing is delivered from this call on. */
  (): void;
  /** Settled once the server has accepted the query, with its id; rejected when it has not. */
  readonly ready: Promise<{ readonly id: string }>;
  /** Settled once the commit `seq` has been delivered here: then you read your own write. */
  waitFor(seq: SeqIdInput): Promise<void>;
}

/**
 * The rows of a query, kept current: a store, and the results one after the other. The query runs while somebody
 * listens, iterates or waits.
 */
export interface LiveQuery<T = Row> extends Store<LiveSnapshot<T>>, AsyncIterable<readonly T[]> {
  /** Settled once the commit `seq` is in the rows. */
  waitFor(seq: SeqIdInput): Promise<void>;
}

/** The connection that all live queries of a client share. */
export interface Connection extends Store<ConnectionState> {
  /** Where it is now. */
  readonly state: ConnectionState;
}

/**
 * A client of one server: statements over HTTP, and live queries that share one WebSocket.
 *
 * The socket opens with the first subscription. When it is lost it comes back by itself, authenticates again, and every
 * live query goes on after the last commit that was delivered: nothing is missed and nothing told twice.
 */
export interface KalamClient {
  /** Where the connection is, as a store. */
  readonly connection: Connection;

  /**
   * Runs one statement and gives its rows. Of several statements, the last one's.
   *
   * @param params - the values of `$1`, `$2` … Never write values into the SQL.
   * @throws {@link KalamError}
   */
  query<T = Row>(sql: string, params?: readonly Param[]): Promise<QueryResult<T>>;

  /**
   * Runs one or several statements and gives what each did.
   *
   * @throws {@link KalamError} at the first one that fails; those before it have happened.
   */
  execute(sql: string, params?: readonly Param[]): Promise<readonly QueryResult[]>;

  /** Keeps a query current and gives its whole result, in order, after each change. Returns its own undo. */
  subscribe<T = Row>(
    sql: string,
    params: readonly Param[],
    options: LiveOptions,
    observer: OnRows<T> | RowsObserver<T>,
  ): Subscription;
  /** Follows a query and gives each commit that changed its result. Returns its own undo. */
  subscribe<T = Row>(
    sql: string,
    params: readonly Param[],
    options: SubscribeOptions,
    observer: ChangeObserver<T>,
  ): Subscription;

  /** The rows of a query as a store and as an async iterable. Nothing is asked before somebody listens. */
  live<T = Row>(sql: string, params?: readonly Param[], options?: LiveOptions): LiveQuery<T>;

  /** Every live query there is now. */
  subscriptions(): readonly SubscriptionInfo[];

  /**
   * Begins a live query again after the place `from`, which may lie before what was delivered, or leave out what was
   * missed. What is told afterwards are the changes since `from`; a `reset` if the server no longer has them.
   */
  resume(id: string, from: SeqIdInput): Promise<void>;

  /** Ends a live query by its name. Ending one that is not there is no error. */
  unsubscribe(id: string): Promise<void>;

  /** Settled once every live query there is now has delivered the commit `seq`, as a write's result names it. */
  waitFor(seq: SeqIdInput): Promise<void>;

  /** Ends all live queries and the connection. A later subscription opens it again. */
  disconnect(): Promise<void>;
}
