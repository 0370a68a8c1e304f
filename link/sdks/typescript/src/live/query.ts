/**
 * The rows of a query, kept current for as long as somebody wants them.
 */

import { KalamError } from './error.js';
import { Observed } from './store.js';
import type { LiveQuery, LiveSnapshot, RowsObserver, SeqIdInput, Subscription, Undo } from './types.js';

/** What every query shows before its first rows are there; one object, so that it never counts as a change. */
export const LOADING: LiveSnapshot<never> = Object.freeze({ status: 'loading', rows: Object.freeze([]), error: undefined });

/** A query that runs while it is wanted. */
export class WantedQuery<T> implements LiveQuery<T> {
  readonly #snapshot = new Observed<LiveSnapshot<T>>(LOADING);
  readonly #begin: (observer: RowsObserver<T>) => Subscription;
  #running: Subscription | undefined;
  #wanted = 0;

  constructor(begin: (observer: RowsObserver<T>) => Subscription) {
    this.#begin = begin;
  }

  getSnapshot = (): LiveSnapshot<T> => this.#snapshot.getSnapshot();

  subscribe = (listener: () => void): Undo => {
    const forget = this.#snapshot.subscribe(listener);
    const release = this.#want();
    return () => {
      forget();
      release();
    };
  };

  async waitFor(seq: SeqIdInput): Promise<void> {
    const release = this.#want();
    try {
      await this.#running?.waitFor(seq);
    } finally {
      release();
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly T[], undefined> {
    let seen: readonly T[] | undefined;
    let over = false;
    let wake = (): void => undefined;
    const forget = this.subscribe(() => wake());
    const end = (): { done: true; value: undefined } => {
      over = true;
      forget();
      // A loop that is left does not come back as a component does.
      this.#stopUnwanted();
      wake();
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        while (!over) {
          const now = this.getSnapshot();
          if (now.status === 'failed') {
            end();
            throw now.error;
          }
          if (now.status === 'live' && now.rows !== seen) {
            seen = now.rows;
            return { done: false, value: now.rows };
          }
          await new Promise<void>((resolve) => (wake = resolve));
        }
        return { done: true, value: undefined };
      },
      return: async () => end(),
    };
  }

  /** Starts the query for the first who wants it; ends it when the returned function was called for the last. */
  #want(): Undo {
    this.#wanted += 1;
    if (this.#running === undefined) this.#run();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#wanted -= 1;
      // Not at once: a component that is taken away and put back in one breath keeps its query.
      if (this.#wanted === 0) setTimeout(() => this.#stopUnwanted(), 0);
    };
  }

  #run(): void {
    if (this.#snapshot.getSnapshot() !== LOADING) {
      this.#snapshot.set({ status: 'loading', rows: this.getSnapshot().rows, error: undefined });
    }
    this.#running = this.#begin({
      onRows: (rows) => this.#snapshot.set({ status: 'live', rows, error: undefined }),
      onError: (error: KalamError) => {
        this.#running = undefined;
        this.#snapshot.set({ status: 'failed', rows: this.getSnapshot().rows, error });
      },
    });
  }

  #stopUnwanted(): void {
    if (this.#wanted > 0) return;
    this.#running?.();
    this.#running = undefined;
  }
}
