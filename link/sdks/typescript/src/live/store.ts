/** A value that changes, and those who want to know. */

import type { Store, Undo } from './types.js';

/** Holds a value and tells of each new one. */
export class Observed<T> implements Store<T> {
  #value: T;
  readonly #listeners = new Set<{ readonly call: () => void }>();

  constructor(value: T) {
    this.#value = value;
  }

  getSnapshot = (): T => this.#value;

  subscribe = (listener: () => void): Undo => {
    // Wrapped, so that one function may listen twice.
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  };

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Takes a new value and tells it. A listener that throws does not keep the others from knowing. */
  set(value: T): void {
    this.#value = value;
    for (const { call } of [...this.#listeners]) guarded(call);
  }
}

/** Runs code of the program; what it throws is reported as an uncaught error of its own and stops nothing here. */
export function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    report(error);
  }
}

/** Tells of an error that nobody is there to take. */
export function report(error: unknown): void {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else console.error(error);
}
