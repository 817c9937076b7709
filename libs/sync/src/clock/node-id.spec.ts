import * as fc from 'fast-check';
import { isNodeId } from 'nest-offline-sync-protocol';
import '../../../../test/support/runs';
import { chooseNodeId } from './node-id';

const random = '0123456789ab';

describe('chooseNodeId', () => {
  it('takes a configured id as it is: the option first, then HLC_NODE_ID', () => {
    expect(chooseNodeId({ option: 'eu-1', variable: 'v', hostname: 'h', random })).toBe('eu-1');
    expect(chooseNodeId({ variable: 'api-7', hostname: 'h', random })).toBe('api-7');
    expect(chooseNodeId({ option: '', variable: '', random })).toBe(random);
  });

  it('gives two processes of one host two ids', () => {
    const one = chooseNodeId({ hostname: 'web-1', random: 'aaaaaaaaaaaa' });
    const two = chooseNodeId({ hostname: 'web-1', random: 'bbbbbbbbbbbb' });
    expect(one).toBe('web-1-aaaaaaaa');
    expect(two).not.toBe(one);
  });

  it('keeps the host name readable and stamps short', () => {
    expect(chooseNodeId({ hostname: 'büro (eu) 7', random })).toBe('b-ro-eu-7-01234567');
    expect(chooseNodeId({ hostname: 'h'.repeat(200), random })).toBe(`${'h'.repeat(32)}-01234567`);
  });

  it('makes a usable id of any host name', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (hostname) => {
        expect(isNodeId(chooseNodeId({ hostname, random }))).toBe(true);
      }),
    );
  });

  it.each([
    ['option', { option: 'a b' }, 'the option hlcNodeId'],
    ['variable', { variable: 'x'.repeat(65) }, 'the variable HLC_NODE_ID'],
  ])('refuses a bad %s and names it', (_name, sources, named) => {
    const refused = (): string => chooseNodeId({ ...sources, random });
    expect(refused).toThrow(named);
    expect(refused).toThrow(expect.objectContaining({ code: 'configuration', path: 'hlcNodeId' }));
  });
});
