import * as fc from 'fast-check';
import '../../../../test/support/runs';
import { Types } from 'mongoose';
import { identityText, MAX_IDENTITY_BYTES, readField } from './identity';

describe('identityText', () => {
  it('takes strings, whole numbers and ObjectIds', () => {
    const id = new Types.ObjectId();
    expect(identityText('acme')).toBe('acme');
    expect(identityText(42)).toBe('42');
    expect(identityText(-0)).toBe('0');
    expect(identityText(id)).toBe(id.toHexString());
  });

  it.each([
    [undefined],
    [null],
    [''],
    ['  '],
    [{}],
    [['acme']],
    [{ id: 'acme' }],
    [true],
    [1.5],
    [Number.NaN],
    [Infinity],
    [2 ** 53],
    ['a\0b'],
    ['\ud800'],
    ['x'.repeat(MAX_IDENTITY_BYTES + 1)],
    ['ä'.repeat(MAX_IDENTITY_BYTES / 2 + 1)],
    [{ toHexString: 'no function' }],
    [{ toHexString: () => '' }],
    [() => 'acme'],
    [Symbol('acme')],
  ])('refuses %p', (value) => {
    expect(identityText(value)).toBeUndefined();
  });

  it('gives different texts for different strings, and never one that storing would change', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const one = identityText(a);
        if (one !== undefined) expect(Buffer.from(one).toString()).toBe(a);
        if (one !== undefined && one === identityText(b)) expect(a).toBe(b);
      }),
    );
  });
});

describe('readField', () => {
  it('follows a dotted path', () => {
    expect(readField({ org: { unit: { id: 7 } } }, 'org.unit.id')).toBe(7);
    expect(readField({ roles: ['x', 'y'] }, 'roles.1')).toBe('y');
  });

  it('prefers a property with the whole path as its name', () => {
    const user = { 'https://acme.example/tenant': 't1', 'a.b': 'whole', a: { b: 'deep' } };
    expect(readField(user, 'https://acme.example/tenant')).toBe('t1');
    expect(readField(user, 'a.b')).toBe('whole');
  });

  it('reads properties of a class, as a loaded Mongoose document has them', () => {
    class Account {
      get tenant(): string {
        return 't1';
      }
    }
    expect(readField(new Account(), 'tenant')).toBe('t1');
  });

  it.each([[undefined], [null], ['text'], [7], [{}], [{ org: null }], [{ org: 'text' }]])(
    'finds nothing in %p and does not throw',
    (user) => {
      expect(readField(user, 'org.length')).toBeUndefined();
    },
  );
});
