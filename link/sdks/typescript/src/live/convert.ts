/**
 * Cells: from JSON to values of JavaScript by the column's type, and parameters the other way.
 *
 * Only shapes change here. A row comes as the list of its cells and leaves as an object under the names of its columns.
 */

import { KalamError } from './error.js';
import type { Column, DataType, Decoding, Param } from './types.js';

/** A column as the wire describes it. */
export interface WireColumn {
  readonly name: string;
  readonly data_type: DataType;
  readonly index: number;
  readonly flags?: readonly string[];
}

/** A row as it crosses from the WASM: its cells, in the order of the columns. */
export type Cells = readonly unknown[];

type Convert = (cell: never) => unknown;

/** What programs see of a column. */
export function toColumn(wire: WireColumn): Column {
  return { name: wire.name, type: wire.data_type, primaryKey: wire.flags?.includes('pk') ?? false };
}

/** How rows of these columns become objects. Of columns with one name the last one stays. */
export function rowDecoder<T>(columns: readonly WireColumn[], decoding: Decoding): (cells: Cells) => T {
  const steps = columns.map((column) => ({ name: column.name, convert: cellDecoder(column.data_type, decoding) }));
  return (cells) => {
    const row: Record<string, unknown> = {};
    for (const [index, { name, convert }] of steps.entries()) {
      const cell = cells[index] ?? null;
      const value = convert !== undefined && cell !== null ? convert(cell as never) : cell;
      // Plain assignment would give a column of this name another meaning.
      if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
      else row[name] = value;
    }
    return row as T;
  };
}

/** How a cell of this type is changed; `undefined` where it is right as it is. */
export function cellDecoder(dataType: DataType, decoding: Decoding): Convert | undefined {
  if (typeof dataType === 'object') return undefined;
  const asDates = decoding.times !== 'number';
  switch (dataType) {
    case 'Boolean':
    case 'SmallInt':
    case 'Int':
    case 'Float':
    case 'Double':
    case 'Text':
    case 'Uuid':
      return undefined;
    case 'BigInt':
      return decoding.bigint === 'string' ? undefined : (digits: string) => BigInt(digits);
    case 'Timestamp':
    case 'DateTime':
      return asDates ? (micros: number) => new Date(Math.floor(micros / 1000)) : undefined;
    case 'Date':
      return asDates ? isoDate : undefined;
    case 'Time':
      return asDates ? isoTime : undefined;
    case 'Json':
      return (text: string) => JSON.parse(text) as unknown;
    case 'Bytes':
      return fromBase64;
    default:
      dataType satisfies never;
      return undefined;
  }
}

function isoDate(days: number): string {
  const date = new Date(days * 86_400_000);
  // A type of the server reaches further than Date does.
  if (Number.isNaN(date.getTime())) throw new KalamError('DECODE', 'a DATE is beyond what JavaScript can name; use times: "number"');
  return date.toISOString().slice(0, -'T00:00:00.000Z'.length);
}

function isoTime(micros: number): string {
  const digits = (value: number, count: number): string => String(value).padStart(count, '0');
  const seconds = Math.floor(micros / 1_000_000);
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((part) => digits(part, 2));
  return `${clock.join(':')}.${digits(micros % 1_000_000, 6)}`;
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  // In pieces, because a call takes only so many arguments.
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(text);
}

/** The parameters as JSON text. They travel beside the SQL and are never written into it. */
export function encodeParams(params: readonly Param[]): string {
  return JSON.stringify(params.map(encodeParam));
}

function encodeParam(param: Param, index: number): unknown {
  if (typeof param === 'bigint') return String(param);
  if (typeof param === 'number' && !Number.isFinite(param)) throw unfit(index, 'is not a finite number');
  if (param === undefined) throw unfit(index, 'is undefined; say null for NULL');
  if (param instanceof Date) {
    if (Number.isNaN(param.getTime())) throw unfit(index, 'is an invalid date');
    return param.toISOString();
  }
  if (param instanceof Uint8Array) return toBase64(param);
  if (typeof param === 'object' && param !== null && holdsBigint(param)) throw unfit(index, 'holds a bigint, which JSON has not');
  if (typeof param === 'function' || typeof param === 'symbol') throw unfit(index, 'is no value');
  return param;
}

function holdsBigint(value: unknown): boolean {
  if (typeof value === 'bigint') return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsBigint);
}

function unfit(index: number, why: string): KalamError {
  return new KalamError('INVALID_ARGUMENT', `parameter $${index + 1} ${why}`);
}
