/**
 * One running live query: reads what the WASM tells of it and hands it to the program.
 */

import { rowDecoder, type Cells, type WireColumn } from './convert.js';
import { KalamError, toKalamError } from './error.js';
import { guarded, report } from './store.js';
import type { Decoding, LiveEvent, SeqIdInput, Subscription } from './types.js';
import type { Link, LinkSubscription, WireEvent, WireRows } from './wasm.js';

/** Takes what is told, already parsed. A returned promise holds the next message back. */
export type Sink<M> = (message: M) => void | Promise<void>;

/** What every live query tells, whatever else it does. */
type Told = { readonly type: 'started'; readonly id: string } | { readonly type: 'ended'; readonly error: unknown };

/** Begins a live query and gives its undo. Works before the WASM is loaded. */
export function start<M extends WireEvent | WireRows>(
  open: () => Promise<Link>,
  begin: (link: Link, tell: (text: string) => unknown) => LinkSubscription,
  sink: Sink<Exclude<M, Told>>,
  onError: ((error: KalamError) => void) | undefined,
): Subscription {
  let over = false;
  let started = false;
  let watched = false;
  let handle: LinkSubscription | undefined;
  let settle: { resolve(started: { id: string }): void; reject(error: KalamError): void };
  const ready = new Promise<{ id: string }>((resolve, reject) => (settle = { resolve, reject }));
  // Whoever does not look at `ready` is told in another way.
  ready.catch(() => undefined);

  const fail = (error: KalamError): void => {
    if (over) return;
    over = true;
    settle.reject(error);
    if (onError !== undefined) guarded(() => onError(error));
    // Who waits for `ready` knows, and that the program ended it itself is no news to anybody.
    else if ((started || !watched) && error.code !== 'CLOSED') report(error);
  };
  const tell = (text: string): unknown => {
    if (over) return undefined;
    const message = JSON.parse(text) as M;
    if (message.type === 'started') {
      started = true;
      return settle.resolve({ id: message.id });
    }
    if (message.type === 'ended') return fail(new KalamError(message.error.code, message.error.message, message.error));
    return told(sink, message as Exclude<M, Told>);
  };
  const begun = open().then((link) => {
    if (over) return;
    handle = begin(link, tell);
  });
  begun.catch((error: unknown) => fail(toKalamError(error)));

  const undo = (): void => {
    if (over) return;
    over = true;
    settle.reject(new KalamError('CLOSED', 'the subscription was ended by the program'));
    handle?.stop();
  };
  const waitFor = async (seq: SeqIdInput): Promise<void> => {
    await ready;
    try {
      await handle?.waitFor(String(seq));
    } catch (error) {
      throw toKalamError(error);
    }
  };
  const look = (): Subscription['ready'] => {
    watched = true;
    return ready;
  };
  return Object.defineProperty(Object.assign(undo, { waitFor }), 'ready', { get: look }) as Subscription;
}

/** Hands a message over. What the program throws is reported and does not end the live query. */
function told<M>(sink: Sink<M>, message: M): Promise<void> | undefined {
  try {
    const done = sink(message);
    return done === undefined ? undefined : done.catch(report);
  } catch (error) {
    report(error);
    return undefined;
  }
}

/** Makes events of what is told. */
export function eventSink<T>(decoding: Decoding, onChange: Sink<LiveEvent<T>>): Sink<Exclude<WireEvent, Told>> {
  let decode: (cells: Cells) => T = rowDecoder([], decoding);
  return (message) => {
    switch (message.type) {
      case 'columns':
        decode = rowDecoder(message.columns, decoding);
        return undefined;
      case 'snapshot':
        return onChange({ ...message, rows: message.rows.map(decode), seq: BigInt(message.seq) });
      case 'change':
        return onChange({
          type: 'change',
          kind: message.kind,
          rows: message.rows.map(decode),
          keys: message.keys,
          oldRows: message.old_rows.map(decode),
          oldKeys: message.old_keys,
          seq: BigInt(message.seq),
        });
      case 'reset':
      case 'paused':
      case 'active':
        return onChange(message);
      default:
        message satisfies never;
        return undefined;
    }
  };
}

/** Keeps the rows that are told of. Rows that did not change stay the same objects. */
export function rowsSink<T>(decoding: Decoding, onRows: Sink<readonly T[]>): Sink<Exclude<WireRows, Told>> {
  let decode: (cells: Cells) => T = rowDecoder([], decoding);
  let rows: readonly T[] = [];
  return (message) => {
    switch (message.type) {
      case 'columns':
        decode = rowDecoder(message.columns as readonly WireColumn[], decoding);
        return undefined;
      case 'rows': {
        const before = rows;
        const put = message.put.map((row) => (typeof row === 'number' ? (before[row] as T) : decode(row)));
        rows = [...before.slice(0, message.at), ...put, ...before.slice(message.at + message.drop)];
        return onRows(rows);
      }
      default:
        message satisfies never;
        return undefined;
    }
  };
}
