import { readMeta, writeMeta } from './meta.ts';
import { giveUp } from './quarantine.ts';
import type { Replica } from './replica.ts';
import { together } from './rules/disposition.ts';
import { denied, deniedCollections, type AccessLost, type Denials } from './rules/rights.ts';
import type { Failure } from './rules/failure.ts';
import type { Work } from './work.ts';

/** The scope was denied. @returns whether it is certain now that it is lost */
export async function denyScope(replica: Replica): Promise<boolean> {
  const now = replica.environment.now();
  return replica.write('leader', async ({ stores: { meta } }) => {
    const denials = await readMeta(meta, 'denials');
    const { since, isLost } = denied(denials.scope, now);
    await writeMeta(meta, 'denials', { ...denials, scope: since });
    return isLost;
  });
}

/** An answer that the scope may be used. */
export async function allowScope(replica: Replica): Promise<void> {
  await replica.write('leader', async ({ stores: { meta } }) => {
    const { collections } = await readMeta(meta, 'denials');
    await writeMeta(meta, 'denials', { collections });
  });
}

/** @param names all that are denied now. @returns those that are certainly lost */
export async function denyCollections(
  replica: Replica,
  names: readonly string[],
): Promise<{ readonly lost: readonly string[]; readonly denials: Denials }> {
  const now = replica.environment.now();
  return replica.write('leader', async ({ stores: { meta } }) => {
    const before = await readMeta(meta, 'denials');
    const { denials: collections, lost } = deniedCollections(before.collections, names, now);
    const denials = { ...before, collections };
    await writeMeta(meta, 'denials', denials);
    return { lost, denials };
  });
}

/**
 * Takes away what the replica of a lost scope holds. What the user did and nobody has answered goes into quarantine; that stays. What comes
 * after this is loaded from the beginning, should the right come back.
 *
 * @param collections of which somebody may be shown rows
 * @returns undefined if there was nothing
 */
export async function loseScope(
  replica: Replica,
  collections: readonly string[],
  failure: Pick<Failure, 'code' | 'message'>,
): Promise<AccessLost | undefined> {
  const now = replica.environment.now();
  const quarantined = await replica.write('leader', async (work) => {
    const count = await giveUpOutbox(work, failure, now);
    await forgetAnswered(work);
    const { generation } = await readMeta(work.stores.meta, 'position');
    await work.move({ generation, isComplete: false });
    return count;
  });
  const rows = await removeRows(replica, collections);
  // Those of collections that an earlier version of the app had.
  await replica.write('leader', ({ stores: { base } }) => base.clear());
  return rows + quarantined === 0 ? undefined : { quarantined };
}

/** From now on the cursor counts for no other collections: those that come back are loaded again. */
export async function coverOnly(replica: Replica, readable: readonly string[]): Promise<readonly string[]> {
  return replica.write('leader', async (work) => {
    const position = await readMeta(work.stores.meta, 'position');
    const { covered = [] } = position;
    const left = covered.filter((name) => readable.includes(name));
    if (left.length < covered.length) await work.move({ ...position, covered: left });
    return covered.filter((name) => !readable.includes(name));
  });
}

/** The rows of collections that may not be read any more. Edits are for the server to judge: it may still take them. */
export async function loseCollections(replica: Replica, names: readonly string[]): Promise<AccessLost> {
  await removeRows(replica, names);
  return { collections: names, quarantined: 0 };
}

/** Everything that waits, because nothing of it can be sent any more. @returns how many edits that were */
export async function giveUpAll(
  replica: Replica,
  failure: Pick<Failure, 'code' | 'message'>,
): Promise<number> {
  const now = replica.environment.now();
  return replica.write('leader', (work) => giveUpOutbox(work, failure, now));
}

async function giveUpOutbox(
  work: Work,
  failure: Pick<Failure, 'code' | 'message'>,
  now: number,
): Promise<number> {
  const outbox = await work.outbox();
  const groups = together(outbox.filter((each) => each.state !== 'answered' || each.doubtful));
  for (const group of groups) await giveUp(work, group, failure, now);
  return groups.flat().length;
}

/** What was answered has ended for the user; what became of it is nothing that may be shown now. */
async function forgetAnswered(work: Work): Promise<void> {
  for (const each of await work.outbox()) {
    if (each.state !== 'answered') continue;
    if (each.aside) work.end(each);
    else await work.drop(each);
  }
}

const ROWS = 500;

async function removeRows(replica: Replica, collections: readonly string[]): Promise<number> {
  let count = 0;
  for (const collection of collections)
    for (let isOver = false; !isOver;)
      isOver = await replica.write('leader', async (work) => {
        const rows = await work.stores.base.scan(collection, { limit: ROWS });
        await work.remove(
          collection,
          rows.map(({ id }) => id),
        );
        count += rows.length;
        return rows.length < ROWS;
      });
  return count;
}
