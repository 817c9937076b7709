import type { TokenName } from './tokens';
import type { Secrets } from './world';

/** What B has learnt so far in one world. */
export interface Learnt {
  readonly versions: string[];
  readonly pages: string[];
}

/** What replaces the ⟦names⟧ of a request: A's ids and versions, B's own, tokens. */
export interface Lexicon {
  readonly secrets: Secrets;
  /** A's page tokens. */
  readonly alicePages: readonly string[];
  readonly bobScope: string;
  readonly tokens: Readonly<Record<TokenName, string>>;
  readonly learnt: Learnt;
}

/** Fills in every name, the innermost first: ⟦base64:…⟧ may hold others. */
export function fillIn(text: string, lexicon: Lexicon): string {
  let filled = text;
  for (;;) {
    const next = filled.replace(/⟦([^⟦⟧]*)⟧/g, (_, name: string) => meaning(name, lexicon));
    if (next === filled) return filled;
    filled = next;
  }
}

/**
 * What B itself has said by a request, and may hear again. What is inside a token does not count: nothing of a token is
 * ever given back. (A scope that only looks like A's is its own: see `space-a` and `upper-a`.)
 */
export function saidBy(text: string, lexicon: Lexicon): string {
  const likeAlice = /⟦(token|jwt)\.(space|upper)-a⟧/.test(text) ? lexicon.secrets.scope : '';
  const open = text
    .replace(/⟦(token|jwt)\.[^⟦⟧]*⟧/g, '')
    .replace(/⟦base64:/g, '⟦plain:')
    .replace(/⟦A\.page\.\d+⟧/g, '');
  return fillIn(open, lexicon) + likeAlice;
}

function meaning(name: string, { secrets, alicePages, bobScope, tokens, learnt }: Lexicon): string {
  if (name.startsWith('base64:')) return Buffer.from(name.slice(7)).toString('base64url');
  if (name.startsWith('plain:')) return name.slice(6);
  const [owner = '', what = '', index = '0'] = name.split('.');
  const nth = (some: readonly string[], otherwise: string): string =>
    some.length === 0 ? otherwise : some[Number(index) % some.length]!;
  switch (`${owner}.${what}`) {
    case 'A.id':
      return nth(secrets.ids, '');
    case 'A.mutation':
      return nth(secrets.mutations, '');
    case 'A.version':
      return nth(secrets.versions, '');
    case 'A.page':
      return nth(alicePages, 'none');
    case 'A.scope':
      return secrets.scope;
    case 'A.actor':
      return secrets.actor;
    case 'A.client':
      return secrets.client;
    case 'B.scope':
      return bobScope;
    case 'B.version':
      return nth(learnt.versions, '19700101T000000.000Z-0000');
    case 'B.page':
      return nth(learnt.pages, 'none');
    default:
      if (owner === 'token') return tokens[what as TokenName];
      if (owner === 'jwt') return tokens[what as TokenName].replace('Bearer ', '');
      throw new Error(`Nothing is called ${name}`);
  }
}
