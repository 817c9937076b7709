import { appWrite, count, each, idKind, patchFields, template } from './conformance-arguments';

describe('arguments of conformance', () => {
  it('takes a route with its body', () => {
    expect(appWrite('post /orders {"lines":[{"note":"{marker}"}]}')).toEqual({
      method: 'POST',
      path: '/orders',
      body: { lines: [{ note: '{marker}' }] },
    });
  });

  it.each([
    '/orders {"a":"{marker}"}',
    'POST orders {"a":"{marker}"}',
    'POST /orders',
    'POST /orders {"a":1}',
  ])('refuses a route that says too little: %s', (text) => expect(() => appWrite(text)).toThrow());

  it.each(['{"a":"b"}', '[1]', 'null', '{marker}', '"{marker}"'])(
    'refuses data that no marker fits in: %s',
    (text) => expect(() => template(text)).toThrow(),
  );

  it('takes the fields that patches may change, and refuses what names none', () => {
    expect(patchFields('{"count":"a.b","list":"tags"}')).toEqual({ count: 'a.b', list: 'tags' });
    for (const text of ['{"counts":"a"}', '{"count":7}', '{"list":""}', '[]', 'tags'])
      expect(() => patchFields(text)).toThrow();
  });

  it.each(['0', '-1', '1.5', 'ten', '', '1e3'])('refuses a count of %s', (text) =>
    expect(() => count(text)).toThrow(),
  );

  it('collects what is given several times', () => {
    expect(each(idKind)('objectid', ['text'])).toEqual(['text', 'objectid']);
    expect(() => idKind('uuid')).toThrow();
  });
});
