import type { DeviceLedger } from './device';
import { businessId } from './customers';
import type { Ledger } from './service-writes';

/** A live document as the database has it, or null for a tombstone. */
export interface Stored {
  readonly id: string;
  readonly business: string;
  /** `_sync_scope_id`. */
  readonly scope: unknown;
  readonly isDeleted: boolean;
  readonly mark: number;
  readonly visits: number;
  readonly deviceVisits: number;
}

const SHOWN = 5;

/** What those who wrote know of their writes, against what the database has: nothing of it comes from the engine. */
export function judgeTruth(
  seeded: number,
  rows: Iterable<Stored>,
  services: readonly Ledger[],
  devices: readonly DeviceLedger[],
): string[] {
  const live = new Map<string, Stored>();
  const sums = { visits: 0, deviceVisits: 0 };
  const wrong = new Findings();
  for (const row of rows) {
    if (row.isDeleted) continue;
    live.set(row.id, row);
    sums.visits += row.visits;
    sums.deviceVisits += row.deviceVisits;
    if (row.scope !== row.business)
      wrong.add('in another scope', `${row.id} is in ${String(row.scope)}, and names ${row.business}`);
  }
  for (const { errors, owned } of services) {
    for (const error of errors) wrong.add('service', `a service's write failed: ${error}`);
    for (const { id, scope, mark } of owned) {
      const row = live.get(id);
      const place = scope === null ? undefined : businessId(scope).toHexString();
      if (row?.business !== place)
        wrong.add('place', `${id} is in ${row?.business ?? 'no business'}, not in ${place ?? 'none'}`);
      else if (row && row.mark !== mark)
        wrong.add('mark', `${id} has the write ${row.mark} of its service, not ${mark}`);
    }
  }
  const gone = new Set(devices.flatMap(({ deleted }) => deleted));
  const created = devices.flatMap(({ created }) => created).filter((id) => !gone.has(id));
  for (const id of created) if (!live.has(id)) wrong.add('created', `${id} of a device is not there`);
  for (const id of gone) if (live.has(id)) wrong.add('deleted', `${id}, deleted by a device, is there`);
  const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);
  wrong.expect('visits of services', sums.visits, sum(services.map(({ visits }) => visits)));
  wrong.expect('visits of devices', sums.deviceVisits, sum(devices.map(({ visits }) => visits)));
  const expected = seeded + sum(services.map(({ inserted, deleted }) => inserted - deleted)) + created.length;
  wrong.expect('documents', live.size, expected);
  return wrong.list();
}

/** Some of each kind. */
class Findings {
  private readonly kinds = new Map<string, string[]>();

  add(kind: string, text: string): void {
    const all = this.kinds.get(kind);
    if (all) all.push(text);
    else this.kinds.set(kind, [text]);
  }

  expect(what: string, found: number, expected: number): void {
    if (found !== expected) this.add(what, `${what}: ${found}, and ${expected} by the ledgers`);
  }

  list(): string[] {
    return [...this.kinds].flatMap(([kind, all]) =>
      all.length > SHOWN ? [...all.slice(0, SHOWN), `${all.length - SHOWN} more (${kind})`] : all,
    );
  }
}
