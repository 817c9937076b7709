import mongoose from 'mongoose';
import { BehaviorSubject, EMPTY, NEVER, of, throwError } from 'rxjs';
import { NO_VALUE, notABoolean, notADocument, notAPlainObject, settled } from './answers';

const { ObjectId, Decimal128, Binary } = mongoose.mongo;
const Item = mongoose.model('AnswersSpecItem', new mongoose.Schema({ name: String, when: Date }));

class Fields {
  constructor(readonly name: string) {}
}
class Hidden {
  readonly #name = 'x';
  get name(): string {
    return this.#name;
  }
}
/** Says that it is stored as something else than a document. */
class Liar {
  toBSON(): unknown {
    return new Date();
  }
}

describe('what an answer comes to', () => {
  const thenable = { then: (resolve: (value: unknown) => void) => resolve(true) };

  it.each<[string, unknown, unknown]>([
    ['a value', 1, 1],
    ['a promise of a promise', Promise.resolve(Promise.resolve(true)), true],
    ['a thenable', thenable, true],
    ['an Observable', of(true), true],
    ['the last value of several', of(true, false), false],
    ['a promise of an Observable', Promise.resolve(of(false)), false],
    ['no value', EMPTY, NO_VALUE],
  ])('is that of %s', async (_what, answer, value) => {
    expect(await settled(answer)).toBe(value);
  });

  it('is its failure', async () => {
    await expect(settled(throwError(() => new Error('no')))).rejects.toThrow('no');
    await expect(settled(Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('is waited for no longer than the signal says', () => {
    const endless = new BehaviorSubject(true);
    const limit = new AbortController();
    void settled(endless, limit.signal);
    return Promise.resolve().then(() => {
      expect(endless.observed).toBe(true);
      limit.abort();
      expect(endless.observed).toBe(false);
    });
  });
});

describe('only true and false are a yes or a no', () => {
  it.each<[unknown, string | undefined]>([
    [true, undefined],
    [false, undefined],
    [undefined, 'nothing'],
    [NO_VALUE, 'nothing'],
    [null, 'null'],
    [1, 'a number'],
    ['denied s3cr3t', 'a text'],
    [[], 'an array'],
    [{ allowed: false }, 'an object'],
    [Object.create(null), 'an object'],
    [() => true, 'a function'],
    [Symbol('yes'), 'a symbol'],

    [new Boolean(false), 'a Boolean'],
    [NEVER, 'an Observable'],
    [new Proxy({}, {}), 'a Proxy'],
  ])('%p', (answer, wrong) => {
    expect(notABoolean(answer)).toBe(wrong);
  });
});

describe('a document', () => {
  it.each<[string, unknown]>([
    ['a plain object', { a: 1 }],
    ['an empty one', {}],
    ['one without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['an instance with fields', new Fields('a')],
    ['a Mongoose document', new Item({ name: 'a' })],
    ['a lean document', { _id: new ObjectId(), when: new Date() }],
  ])('is %s', (_what, answer) => {
    expect(notADocument(answer)).toBeUndefined();
  });

  it.each<[string, unknown, RegExp]>([
    ['undefined', undefined, /nothing/],
    ['false', false, /a boolean/],
    ['a text', 's3cr3t', /a text/],
    ['an array', [{ a: 1 }], /an array/],
    ['a Date', new Date(), /a Date/],
    ['a Map', new Map([['a', 1]]), /a Map/],
    ['a Set', new Set([1]), /a Set/],
    ['a RegExp', /x/, /a RegExp/],
    ['an Error', new Error('s3cr3t'), /an Error/],
    ['a Buffer', Buffer.from('a'), /a Buffer/],
    ['an ObjectId', new ObjectId(), /an ObjectId/],
    ['a Decimal128', Decimal128.fromString('1'), /a Decimal128/],
    ['a Binary', new Binary(Buffer.from('a')), /a Binary/],
    ['a boxed text', Object('a'), /a String/],
    ['a function', () => ({ a: 1 }), /a function/],
    ['an Observable', of({ a: 1 }), /an Observable .*return a promise or a value/],
    ['a promise', Promise.resolve({ a: 1 }), /a promise/],
    ['a query nobody awaited', Item.findOne(), /a promise/],
    ['a Proxy', new Proxy({ a: 1 }, {}), /a Proxy/],
    ['an instance whose fields are hidden', new Hidden(), /a Hidden without fields/],
    ['an instance that is stored as something else', new Liar(), /a Date/],
    ['a generator', (function* () {})(), /./],
    ['a URL', new URL('http://a.example/'), /a URL without fields/],
  ])('is not %s', (_what, answer, told) => {
    expect(notADocument(answer)).toMatch(told);
    expect(notADocument(answer)).not.toContain('s3cr3t');
  });

  it('of JSON is no instance of a class', () => {
    expect(notAPlainObject({ a: 1 })).toBeUndefined();
    expect(notAPlainObject(new Fields('a'))).toMatch(/a Fields/);
    expect(notAPlainObject(new Item({ name: 'a' }))).toMatch(/plain object/);
  });
});
