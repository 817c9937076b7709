import * as fc from 'fast-check';
import { isNodeId } from './hlc';
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
    expect(() => chooseNodeId({ ...sources, random })).toThrow(named);
  });
});
