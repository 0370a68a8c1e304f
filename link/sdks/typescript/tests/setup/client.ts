/** Clients of a test, in a namespace of their own, that are gone when the test is over. */

import { createClient, type ClientOptions, type KalamClient, type Store } from 'kalam-link';
import { inject, onTestFinished } from 'vitest';

import { ROOT_PASSWORD } from './server.js';

/** A client of `root`, disconnected after the test. */
export function rootClient(options: Partial<ClientOptions> = {}): KalamClient {
  const client = createClient({
    url: inject('serverUrl'),
    auth: { user: 'root', password: ROOT_PASSWORD },
    backoff: { firstMs: 20, maxMs: 100 },
    ...options,
  });
  onTestFinished(() => client.disconnect());
  return client;
}

let count = 0;

/** A new namespace with the SHARED table `notes (id, room, body)`; its name. */
export async function notesTable(client: KalamClient): Promise<string> {
  const namespace = `t${process.pid}_${Date.now().toString(36)}_${(count += 1)}`;
  await client.execute(
    `CREATE NAMESPACE ${namespace};
     CREATE SHARED TABLE ${namespace}.notes (id BIGINT PRIMARY KEY, room TEXT, body TEXT)`,
  );
  return `${namespace}.notes`;
}

/** Waits until the value of a store is as wanted, and gives it. */
export function until<T, S extends T = T>(
  store: Store<T>,
  wanted: ((value: T) => value is S) | ((value: T) => boolean),
): Promise<S> {
  return new Promise((resolve) => {
    let undo = (): void => undefined;
    const look = (): boolean => {
      const value = store.getSnapshot();
      if (!wanted(value)) return false;
      undo();
      resolve(value as S);
      return true;
    };
    if (!look()) undo = store.subscribe(look);
  });
}

/** Things that come one after the other, to be waited for. */
export class Inbox<T> {
  readonly all: T[] = [];
  #look: () => void = () => undefined;

  take = (item: T): void => {
    this.all.push(item);
    this.#look();
  };

  /** The first item that is as wanted, now or later. */
  next(wanted: (item: T) => boolean): Promise<T> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.all.find(wanted);
        if (found !== undefined) resolve(found);
      };
      const before = this.#look;
      this.#look = () => {
        before();
        look();
      };
      look();
    });
  }
}
