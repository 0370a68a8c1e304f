/** Cells and parameters, type by type. */

import { describe, expect, test } from 'vitest';

import { cellDecoder, encodeParams, rowDecoder, type WireColumn } from '../src/live/convert.js';
import type { DataType, Decoding, Param } from '../src/live/types.js';

function decoded(type: DataType, cell: unknown, decoding: Decoding = {}): unknown {
  const column: WireColumn = { name: 'c', data_type: type, index: 0 };
  return rowDecoder<{ c: unknown }>([column], decoding)([cell]).c;
}

describe('cells', () => {
  test.each<[DataType, unknown, unknown]>([
    ['Boolean', true, true],
    ['SmallInt', -5, -5],
    ['Int', 7, 7],
    ['BigInt', '9223372036854775807', 9223372036854775807n],
    ['Float', 1.5, 1.5],
    ['Double', 1e300, 1e300],
    ['Text', 'text', 'text'],
    ['Timestamp', 1_700_000_000_123_456, new Date(1_700_000_000_123)],
    ['DateTime', -1, new Date(-1)],
    ['Date', 0, '1970-01-01'],
    ['Date', 19_876, '2024-06-02'],
    ['Time', 86_399_999_999, '23:59:59.999999'],
    ['Time', 0, '00:00:00.000000'],
    ['Json', '{"a":[1,null]}', { a: [1, null] }],
    ['Bytes', 'AP9r', new Uint8Array([0, 255, 107])],
    ['Uuid', '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000'],
    [{ Decimal: { precision: 38, scale: 2 } }, '123456789012345678901234.50', '123456789012345678901234.50'],
  ])('of_type_%j_become_values_of_javascript', (type, cell, value) => {
    expect(decoded(type, cell)).toEqual(value);
    expect(decoded(type, null)).toBeNull();
  });

  test('stay_digits_and_numbers_where_that_is_wanted', () => {
    const decoding: Decoding = { bigint: 'string', times: 'number' };
    expect(decoded('BigInt', '9223372036854775807', decoding)).toBe('9223372036854775807');
    expect(decoded('Timestamp', 1_700_000_000_123_456, decoding)).toBe(1_700_000_000_123_456);
    expect(decoded('Date', 1, decoding)).toBe(1);
    expect(decoded('Time', 1, decoding)).toBe(1);
  });

  test('beyond_what_javascript_can_name_are_an_error_and_no_wrong_value', () => {
    expect(() => decoded('Date', 2_000_000_000)).toThrow(expect.objectContaining({ code: 'DECODE' }));
  });

  test('of_a_column_with_a_strange_name_are_only_cells', () => {
    const row = rowDecoder<Record<string, unknown>>([{ name: '__proto__', data_type: 'Text', index: 0 }], {})(['x']);
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(Object.entries(row)).toEqual([['__proto__', 'x']]);
  });

  test('of_types_that_need_no_change_are_not_touched', () => {
    expect(cellDecoder('Text', {})).toBeUndefined();
    expect(cellDecoder('BigInt', { bigint: 'string' })).toBeUndefined();
  });
});

describe('parameters', () => {
  test('keep_what_they_are', () => {
    const large = new Uint8Array(20_000).fill(65);
    const text = encodeParams([null, true, 1.5, 9223372036854775807n, 'x', new Date(1), new Uint8Array([0, 255]), [1], { a: null }, large]);
    const [, , , big, , at, bytes, , , many] = JSON.parse(text) as unknown[];
    expect([big, at, bytes]).toEqual(['9223372036854775807', '1970-01-01T00:00:00.001Z', 'AP8=']);
    expect(atob(many as string)).toBe('A'.repeat(20_000));
  });

  test.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['undefined', undefined],
    ['an invalid date', new Date(Number.NaN)],
    ['a function', () => 1],
    ['a bigint inside of JSON', { a: [1n] }],
  ])('that_are_%s_are_refused', (_, value) => {
    expect(() => encodeParams(['fine', value as Param])).toThrow(/parameter \$2 /);
  });
});
