/**
 * The WASM, loaded once, and what crosses its border: JSON text, one per event.
 *
 * All of a connection's life is decided behind this border (`link/src/state`); this side only reads what is told.
 */

import initWasm, { Link, type InitInput } from '../../pkg/kalam_link.js';

import type { WireColumn, Cells } from './convert.js';
import { KalamError } from './error.js';
import type { SubscriptionState, WasmSource } from './types.js';

/** What differs between browsers and Node. */
export interface Platform {
  /** The constructor of WebSockets. */
  webSocket(): Promise<unknown>;
  /** Where the WASM is when the program does not say. */
  wasm(): Promise<WasmSource | undefined>;
  /** Calls `tell` when the network is back, where the platform knows. */
  whenOnline?(tell: () => void): void;
}

/** Why something failed. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly position?: number;
  readonly details?: string;
}

/** A seq as the wire has it: a number while it is exact, else digits. */
export type WireSeq = number | string;

/** What a live query whose events are wanted tells. */
export type WireEvent =
  | { readonly type: 'started'; readonly id: string }
  | { readonly type: 'columns'; readonly columns: readonly WireColumn[] }
  | {
      readonly type: 'snapshot';
      readonly rows: readonly Cells[];
      readonly keys: readonly string[];
      readonly first: boolean;
      readonly last: boolean;
      readonly seq: WireSeq;
    }
  | {
      readonly type: 'change';
      readonly kind: 'insert' | 'update' | 'delete';
      readonly rows: readonly Cells[];
      readonly keys: readonly string[];
      readonly old_rows: readonly Cells[];
      readonly old_keys: readonly string[];
      readonly seq: WireSeq;
    }
  | { readonly type: 'reset' }
  | { readonly type: 'paused'; readonly reason: string }
  | { readonly type: 'active' }
  | { readonly type: 'ended'; readonly error: WireError };

/** What a live query whose rows are kept tells. */
export type WireRows =
  | { readonly type: 'started'; readonly id: string }
  | { readonly type: 'columns'; readonly columns: readonly WireColumn[] }
  /** From place `at` on `drop` rows go; in their place come these: a new row, or the number of one that was there. */
  | { readonly type: 'rows'; readonly at: number; readonly drop: number; readonly put: readonly (Cells | number)[] }
  | { readonly type: 'ended'; readonly error: WireError };

/** What one statement gave. */
export interface WireOutcome {
  readonly columns: readonly WireColumn[];
  readonly rows: readonly Cells[];
  readonly row_count: number;
  readonly seq?: WireSeq;
  readonly message?: string;
}

/** A live query as it is listed. */
export interface WireSubscription {
  readonly id: string;
  readonly sql: string;
  readonly state: SubscriptionState;
  readonly last_seq?: WireSeq;
}

/** Where the connection is. */
export type WireConnection =
  | { readonly status: 'idle' }
  | { readonly status: 'connecting'; readonly attempt: number }
  | {
      readonly status: 'live';
      readonly connection_id: string;
      readonly user: string;
      readonly role: string;
      readonly expires_at: string;
    }
  | { readonly status: 'waiting'; readonly attempt: number; readonly retry_in_ms: number; readonly reason: string }
  | { readonly status: 'closed'; readonly reason: WireError };

let loading: Promise<unknown> | undefined;

/** Loads the WASM, once for all clients of a program, and makes a client of it. */
export async function openLink(
  platform: Platform,
  source: WasmSource | undefined,
  settings: string,
  provider: (() => Promise<string>) | undefined,
): Promise<Link> {
  const webSocket = await platform.webSocket();
  try {
    loading ??= (async () => {
      const wasm = source ?? (await platform.wasm());
      await (wasm === undefined ? initWasm() : initWasm({ module_or_path: wasm as InitInput }));
    })();
    await loading;
  } catch (cause) {
    // The next client may have a better source, or a better moment.
    loading = undefined;
    throw new KalamError('WASM', 'the WASM of kalam-link could not be loaded', { cause });
  }
  const link = new Link(settings, provider, webSocket as Function);
  // The platform's listener stays for ever and must not hold a client that nobody else has.
  const weak = new WeakRef(link);
  platform.whenOnline?.(() => weak.deref()?.reconnect());
  return link;
}

export type { Link, LinkSubscription } from '../../pkg/kalam_link.js';
