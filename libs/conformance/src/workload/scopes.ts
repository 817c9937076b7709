import type { Answer, Tenant } from '../history';
import { jsonOf } from '../wire/exchange';
import { fieldsOf } from '../wire/parse';
import { learnFeatures } from './server-info';
import { holdsOthersData } from './own-data';
import type { Membership } from './options';
import { Party } from './party';
import { pause } from './pause';
import { Random } from './random';
import { WorkloadError } from './settings';

/** Beyond the identity's own: more would say the same again. */
const SCOPES = 3;
const TRIES = 20;

/** What GET /sync/scopes lists; undefined where the server does not know scopes, or does not answer. */
export async function listScopes(party: Party): Promise<Readonly<Record<string, unknown>>[] | undefined> {
  const reply = await party.device().ask('scopes', '/scopes');
  const scopes = reply?.status === 200 ? fieldsOf(jsonOf(reply.text))['scopes'] : undefined;
  return Array.isArray(scopes) ? scopes.map(fieldsOf) : undefined;
}

/**
 * The party in each of the other scopes that the server gives it, a few of them. A scope that contains data that are not
 * the checker's is only read.
 */
export async function otherScopes({ tenant, token, settings, journal, features }: Party): Promise<Party[]> {
  if (!features.has('scopes')) return [];
  const own = new Party(tenant, token, settings, journal);
  const changing = settings.membership?.scopes ?? [];
  const others = (await listScopes(own))?.filter(
    ({ own: isOwn, scope }) => isOwn !== true && typeof scope === 'string' && !changing.includes(scope),
  );
  const parties: Party[] = [];
  for (const [number, { scope, access }] of (others ?? []).slice(0, SCOPES).entries()) {
    const name = String(scope);
    const inScope = (level: 'read' | 'write'): Party =>
      new Party(tenant, token, settings, journal, { name, number, access: level });
    const reader = inScope('read');
    const mayWrite = access === 'write' && !(await holdsOthersData(reader.device()).catch(() => true));
    const party = mayWrite ? inScope('write') : reader;
    await learnFeatures(party);
    if (party.collections.length > 0 || !mayWrite) parties.push(party);
  }
  return parties;
}

/**
 * Both tenants in the scopes that are gained and lost; each is let in now.
 *
 * @throws WorkloadError when that cannot be done
 */
export async function changingScopes(parties: readonly Party[]): Promise<Party[]> {
  const made: Party[] = [];
  for (const { tenant, token, settings, journal, features } of parties) {
    const { membership } = settings;
    if (membership === undefined || !features.has('scopes')) continue;
    for (const [at, name] of membership.scopes.entries()) {
      const party = new Party(tenant, token, settings, journal, {
        name,
        number: SCOPES + at,
        access: 'write',
      });
      if (!(await letIn(party, membership, name)))
        throw new WorkloadError(`The app did not let the identity of ${tenant} into the scope ${name}.`);
      await learnFeatures(party);
      made.push(party);
    }
  }
  return made;
}

/** Puts the tenant under test out of the scopes and lets it in again, until the end; then it is in all of them. */
export async function changeMemberships(parties: readonly Party[], end: AbortSignal): Promise<void> {
  await Promise.all(
    parties.map(async (party) => {
      const { settings, label, scope } = party;
      const { membership } = settings;
      if (membership === undefined || scope === undefined) return;
      const random = new Random(settings.seed, `${label} membership`);
      const longest = membership.longestMs ?? 8_000;
      while (!end.aborted) {
        await pause(random.between(longest / 8, longest), end);
        if (end.aborted) break;
        await change(party, membership, scope.name, 'none');
        // Mostly short, and now and then long enough for everything to come to rest.
        await pause(random.chance(0.3) ? longest : random.between(50, longest / 2), end);
        await change(party, membership, scope.name, 'write');
      }
      await letIn(party, membership, scope.name);
    }),
  );
}

async function letIn(party: Party, membership: Membership, scope: string): Promise<boolean> {
  for (let tries = 1; tries <= TRIES; tries++) {
    const answer = await change(party, membership, scope, 'write');
    if (answer?.status === 200) return true;
    await pause(Math.min(100 * 2 ** tries, 2_000));
  }
  return false;
}

async function change(
  { journal, tenant }: { readonly journal: Party['journal']; readonly tenant: Tenant },
  membership: Membership,
  scope: string,
  level: 'none' | 'write',
): Promise<Answer> {
  const sentAt = journal.now();
  const answer = await membership.set(tenant, scope, level);
  journal.add({ kind: 'access', tenant, scope, level, sentAt, answeredAt: journal.now(), answer });
  return answer;
}
