import { upsert } from '../../../support/http-app';
import type { Kind } from '../case';
import { first } from './seeds';

export const TRANSACTIONS: readonly Kind[] = [
  {
    name: 'transaction: upsert, first of the scope',
    write: (on, { sync }) =>
      sync.transaction(on.identity('a'), (tx) => tx.upsert('last', 'd', { by: 'app' })),
  },
  {
    name: 'transaction: upsert',
    seed: (on) => first(on, 'last'),
    write: (on, { sync }) =>
      sync.transaction(on.identity('a'), (tx) => tx.upsert('last', 'd', { by: 'app' })),
  },
  {
    name: 'transaction: patch',
    seed: (on) => first(on, 'last', { n: 1, old: 1 }),
    write: (on, { sync }) =>
      sync.transaction(on.identity('a'), (tx) =>
        tx.patch('last', 'd', { data: { by: 'app' }, unset: ['old'], inc: { n: 1 } }),
      ),
  },
  {
    name: 'transaction: patches of what it has written itself',
    seed: (on) => first(on, 'last'),
    write: (on, { sync }) =>
      sync.transaction(on.identity('a'), async (tx) => {
        await tx.upsert('merge', 'e', { n: 1 });
        await tx.patch('merge', 'e', { inc: { n: 1 } });
        await tx.patch('last', 'd', { inc: { n: 1 }, add: { by: ['app'] } });
      }),
  },
  {
    name: 'transaction: delete',
    seed: (on) => first(on, 'last'),
    write: (on, { sync }) => sync.transaction(on.identity('a'), (tx) => tx.delete('last', 'd')),
  },
  {
    name: 'transaction: several writes and one of the app itself',
    seed: (on) => first(on, 'last'),
    write: (on, { sync, db }) =>
      sync.transaction(on.identity('a'), async (tx) => {
        await db
          .collection('ledger')
          .insertOne({ _id: on.named('entry') as never, n: 1 }, { session: tx.session });
        await tx.upsert('merge', 'e', { by: 'app' });
        await tx.delete('last', 'd');
        await tx.upsert('last', 'f', { by: 'app' });
      }),
  },
  {
    name: 'transaction: move to another scope, scoped ids',
    scopes: ['a', 'b'],
    seed: (on) => first(on, 'last'),
    write: (on, { sync }) => sync.transaction(on.identity('a'), (tx) => tx.move('last', 'd', on.named('b'))),
  },
  {
    name: 'transaction: move to another scope, global ids',
    scopes: ['a', 'b'],
    seed: (on) =>
      Promise.all([
        on.others('a', upsert('shared', on.named('g'), { first: 1 })),
        on.others('b', upsert('last', 'd', {})),
      ]),
    write: (on, { sync }) =>
      sync.transaction(on.identity('a'), (tx) => tx.move('shared', on.named('g'), on.named('b'))),
  },
  {
    name: 'transaction that a push overtakes: the second attempt takes the head first',
    seed: (on) => first(on, 'last'),
    write: (on, { sync, db }) =>
      sync.transaction(on.identity('a'), async (tx) => {
        // The transaction's first read fixes what it sees.
        await db.collection('ledger').findOne({ _id: on.named('entry') as never }, { session: tx.session });
        await tx.upsert('last', 'e', { by: 'app' });
      }),
    meanwhile: {
      before: 'find sync_heads',
      work: (on) => on.others('a', upsert('merge', 'rival', { by: 'rival' })),
    },
  },
];
