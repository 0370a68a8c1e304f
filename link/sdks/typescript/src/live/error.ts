/**
 * The one error of this package.
 */

/** Code of an error that did not come from the server. */
export type ClientErrorCode =
  /** The user, the password or the token is not accepted. */
  | 'AUTH_FAILED'
  /** The server could not be reached, or the connection broke. A write may or may not have happened. */
  | 'NETWORK'
  /** What was waited for did not come in time. A write may or may not have happened. */
  | 'TIMEOUT'
  /** The client was disconnected, or the server closed the connection for good. */
  | 'CLOSED'
  /** An administrator killed the connection. */
  | 'CONNECTION_KILLED'
  /** The server sent what this client cannot read. */
  | 'BAD_ANSWER'
  /** What was asked for cannot be. */
  | 'INVALID_ARGUMENT'
  /** A cell does not fit its column's type. */
  | 'DECODE'
  /** More than a limit of the client. */
  | 'CLIENT_LIMIT'
  /** The WASM could not be loaded. */
  | 'WASM';

/** What is known beside code and message. */
interface More {
  readonly position?: number | undefined;
  readonly details?: string | undefined;
  readonly cause?: unknown;
}

/**
 * Something went wrong. `code` stays the same for the same cause, the message is for people.
 *
 * ```ts
 * try {
 *   await client.query('SELECT * FROM nowhere.nothing');
 * } catch (error) {
 *   if (error instanceof KalamError && error.code === 'NOT_FOUND') console.log('make it first');
 * }
 * ```
 */
export class KalamError extends Error {
  override readonly name = 'KalamError';
  /** A code of the server (the pages in `docs/errors` say what each means), or a {@link ClientErrorCode}. */
  readonly code: ClientErrorCode | (string & {});
  /** Where in the SQL, counted in characters from 1. */
  readonly position: number | undefined;
  /** Which of several statements failed, such as `statement 2 of 3`. */
  readonly details: string | undefined;

  constructor(code: ClientErrorCode | (string & {}), message: string, more: More = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.position = more.position;
    this.details = more.details;
  }
}

/** The error as the WASM tells it, as JSON text in the message of what it throws. */
interface Told {
  readonly code: string;
  readonly message: string;
  readonly position?: number;
  readonly details?: string;
}

/** Whatever was thrown, as a {@link KalamError}. */
export function toKalamError(thrown: unknown): KalamError {
  if (thrown instanceof KalamError) return thrown;
  if (typeof thrown === 'string') {
    const told = JSON.parse(thrown) as Told;
    return new KalamError(told.code, told.message, told);
  }
  // Only a defect of this package comes here: a panic of the WASM is a RuntimeError.
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new KalamError('WASM', message, { cause: thrown });
}
