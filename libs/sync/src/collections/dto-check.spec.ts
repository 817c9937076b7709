import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import { IsArray, IsDate, IsInt, IsOptional, IsString, MaxLength, ValidateNested } from 'class-validator';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { makeDtoCheck } from './dto-check';

class Line {
  @IsString() sku!: string;
  @IsInt() qty!: number;
}

class Order {
  @IsString()
  @MaxLength(5)
  title!: string;

  @IsOptional()
  @Type(() => Date)
  @IsDate()
  due?: Date;

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Line)
  lines?: Line[];

  @IsOptional()
  meta?: unknown;
}

async function check(data: JsonObject, unknownFields: 'reject' | 'strip' = 'reject') {
  return makeDtoCheck('orders', Order, unknownFields)(data);
}

describe('a DTO', () => {
  it('lets good data through as it came: it only judges', async () => {
    const data = {
      title: 'a',
      due: '2026-05-02T12:00:00.000Z',
      lines: [{ sku: 'x', qty: 1 }],
      meta: { a: [1] },
    };
    expect(await check(data)).toEqual({ ok: true, data });
    expect(await check(data, 'strip')).toEqual({ ok: true, data });
  });

  it.each<[JsonObject, string, string]>([
    [{}, 'validation_failed', 'data.title: '],
    [{ title: 'secret text' }, 'validation_failed', 'data.title: title must be shorter'],
    [
      {
        title: 'a',
        lines: [
          { sku: 'x', qty: 1 },
          { sku: 'x', qty: 1.5 },
        ],
      },
      'validation_failed',
      'data.lines[1].qty: ',
    ],
    [{ title: 'a', due: 'x' }, 'validation_failed', 'data.due: '],
    [{ title: 'a', lines: 'x' }, 'validation_failed', 'data.lines: '],
    [{ title: 'a', extra: 'secret' }, 'unknown_field', 'data.extra is not a field'],
    [{ title: 'a', lines: [{ sku: 'x', qty: 1, z: 1 }] }, 'unknown_field', 'data.lines[0].z is not a field'],
  ])('refuses %j', async (data, code, message) => {
    const result = await check(data);
    if (result.ok) throw new Error('was taken');
    expect(result.rejection.code).toBe(code);
    expect(result.rejection.message.startsWith(message)).toBe(true);
    expect(result.rejection.message).not.toContain('secret');
  });

  it('strips what it does not know from the data itself, when asked to', async () => {
    const data = {
      title: 'a',
      extra: 1,
      toString: 'x',
      due: '2026-05-02',
      lines: [{ sku: 'x', qty: 1, z: 1 }],
      meta: { any: { thing: 1 } },
    };
    expect(await check(data, 'strip')).toEqual({
      ok: true,
      data: { title: 'a', due: '2026-05-02', lines: [{ sku: 'x', qty: 1 }], meta: { any: { thing: 1 } } },
    });
    expect(data.extra).toBe(1);
  });

  it('gives on what its transformers made of the data: that is what it has judged', async () => {
    class Shouting {
      @Transform(({ value }) => String(value).toUpperCase())
      @IsString()
      title!: string;
    }
    const result = await makeDtoCheck('orders', Shouting, 'strip')({ title: 'a', z: 1 });
    expect(result).toEqual({ ok: true, data: { title: 'A' } });
  });
});
