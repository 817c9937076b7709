import type { FullRow } from './history';
import type { Outgoing } from './wire/device';
import { isOwnId } from './wire/marker';
import { learnFeatures } from './workload/server-info';
import { Journal } from './workload/journal';
import type { WorkloadOptions } from './workload/options';
import { holdsOthersData, PAGE, pagesOf } from './workload/own-data';
import { Party } from './workload/party';
import { otherScopes } from './workload/scopes';
import { settingsOf, WorkloadError } from './workload/settings';

/** Checks the scopes that a run would write to, and tidies them up afterwards. None of this is in a history. */
export class ScopeCare {
  private readonly parties: readonly Party[];

  constructor(options: WorkloadOptions) {
    const settings = settingsOf(options);
    const journal = new Journal(settings);
    const { token, otherToken } = settings;
    this.parties = [
      new Party('main', token, settings, journal),
      ...(otherToken === undefined ? [] : [new Party('other', otherToken, settings, journal)]),
    ];
  }

  /** @throws WorkloadError when a scope contains a document that no run of the checker made, or cannot be read */
  async refuseOthersData(): Promise<void> {
    for (const party of this.parties)
      if (await holdsOthersData(party.device()))
        throw new WorkloadError(
          `The scope of ${party.tenant === 'main' ? 'the token' : 'the other token'} contains documents that are not the ` +
            "checker's. Give the token of an empty scope, or --force to write next to them.",
        );
  }

  /**
   * Deletes what the checker made in these collections, of this run and of earlier ones: tombstones stay.
   *
   * @param made ids of documents that the app's own writes made, by collection
   * @returns how many documents could not be deleted
   */
  async tidy(made: ReadonlyMap<string, ReadonlySet<string>>): Promise<number> {
    let left = 0;
    for (const party of this.parties) {
      left += await tidyScope(party, made);
      if (party.tenant !== 'main') continue;
      await learnFeatures(party);
      for (const other of await otherScopes(party))
        if (other.scope?.access === 'write') left += await tidyScope(other, new Map());
    }
    return left;
  }
}

async function tidyScope(party: Party, made: ReadonlyMap<string, ReadonlySet<string>>): Promise<number> {
  const device = party.device();
  const names = party.settings.collections.map(({ name }) => name);
  const mine: FullRow[] = [];
  for await (const rows of pagesOf(device))
    for (const row of rows) {
      const isMine =
        (names.includes(row.collection) && isOwnId(row.docId)) || made.get(row.collection)?.has(row.docId);
      if (!row.deleted && isMine) mine.push(row);
    }
  let left = 0;
  for (let from = 0; from < mine.length; from += PAGE) {
    const rows = mine.slice(from, from + PAGE);
    const { results } = await device.push('tidy', 'mutation', rows.map(deletion));
    left += results?.filter(({ status }) => status === 'rejected').length ?? rows.length;
  }
  return left;
}

function deletion({ collection, docId, version: parent }: FullRow): Outgoing {
  const operation = 'delete';
  return {
    sent: { collection, docId, operation, mutation: null, parent, hlc: null, marker: null, flaw: null },
    wire: { collection, doc_id: docId, operation, parent_version: parent },
  };
}
