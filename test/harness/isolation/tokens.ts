import { inSeconds, testToken } from '../../support/jwt';
import { SECRET } from '../../support/http-app';
import type { BAD_TOKENS } from './attacks';
import type { Secrets } from './world';

export type TokenName = 'good' | (typeof BAD_TOKENS)[number];

const EXP = inSeconds(3_600);
const ISSUER = 'https://id.example';

/**
 * Every Authorization value that B tries. None but `good`, `number` and `exp-huge` may be let in, and those as B.
 * The same for both worlds of a run.
 */
export function tokensOf(
  bobScope: string,
  run: number,
  { scope, actor }: Secrets,
): Record<TokenName, string> {
  const bob = { iss: ISSUER, user_id: 'bob', business_id: bobScope, exp: EXP };
  const alice = { iss: ISSUER, user_id: actor, business_id: scope, exp: EXP };
  const signed = (payload: unknown): string => testToken({ payload, key: SECRET });
  const bearer = (payload: unknown): string => `Bearer ${signed(payload)}`;
  const good = signed(bob);
  const [head = '', , signature = ''] = good.split('.');
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = (payload: unknown): string => testToken({ header: { alg: 'none' }, payload });
  // Parsed, so that the key is an own property, as in a token from outside.
  const proto = JSON.parse(
    `{"iss":"${ISSUER}","exp":${String(EXP)},"__proto__":${JSON.stringify(alice)}}`,
  ) as unknown;
  return {
    good: `Bearer ${good}`,
    none: '',
    empty: 'Bearer ',
    garbage: 'Bearer not.a.token',
    'expired-a': bearer({ ...alice, exp: EXP - 100_000 }),
    'none-a': `Bearer ${unsigned(alice)}`,
    'none-b': `Bearer ${unsigned(bob)}`,
    'other-key-a': `Bearer ${testToken({ payload: alice, key: 'another secret that is long enough too' })}`,
    'spliced-a': `Bearer ${head}.${part(alice)}.${signature}`,
    'hs512-a': `Bearer ${testToken({ header: { alg: 'HS512' }, payload: alice, key: SECRET })}`,
    'issuer-a': bearer({ ...alice, iss: 'https://evil.example' }),
    'array-a': bearer({ ...bob, business_id: [scope] }),
    'object-a': bearer({ ...bob, business_id: { $eq: scope } }),
    'hex-a': bearer({ ...bob, business_id: { toHexString: scope, toString: scope } }),
    'proto-a': bearer(proto),
    'nested-a': bearer({ ...bob, business_id: { business_id: scope } }),
    'nul-a': bearer({ ...bob, business_id: `${scope}\0` }),
    'space-a': bearer({ ...bob, business_id: ` ${scope} ${String(run)}` }),
    'upper-a': bearer({ ...bob, business_id: `${scope.toUpperCase()}${String(run)}` }),
    missing: bearer({ ...bob, business_id: undefined }),
    number: bearer({ ...bob, business_id: 1_000 + run }),
    null: bearer({ ...bob, business_id: null }),
    surrogate: bearer({ ...bob, business_id: '\ud800' }),
    long: bearer({ ...bob, business_id: 'l'.repeat(300) }),
    'payload-array': bearer([alice]),
    'payload-text': `Bearer ${signed(scope)}`,
    'payload-null': bearer(null),
    'exp-text': bearer({ ...bob, exp: 'never' }),
    'exp-huge': bearer({ ...bob, exp: 1e300 }),
    'double-a': `Bearer ${good} ${unsigned(alice)}`,
    'basic-a': `Basic ${Buffer.from(`${actor}:${scope}`).toString('base64')}`,
    'two-spaces': `Bearer  ${good}`,
    'comma-a': `Bearer ${unsigned(alice)}, Bearer ${good}`,
    'actor-object': bearer({ ...bob, user_id: { $ne: null } }),
    'kid-path': `Bearer ${testToken({ header: { alg: 'HS256', kid: '../../dev/null' }, payload: alice, key: '' })}`,
  };
}
