import { jsonOf } from '../wire/exchange';
import { fieldsOf } from '../wire/parse';
import type { Party } from './party';

/**
 * Asks the server what it can do in the party's scope, and which collections live there. A server that knows nothing of
 * this is one of the first wire: it has no features, and every collection.
 *
 * Patches are sent only where entries say whose they are: a patch may leave no text of its own in the document.
 */
export async function learnFeatures(party: Party): Promise<void> {
  const scope = party.scope === undefined ? '' : `?scope=${encodeURIComponent(party.scope.name)}`;
  const reply = await party.device().ask('info', `/info${scope}`);
  const { features, collections } = reply?.status === 200 ? fieldsOf(jsonOf(reply.text)) : {};
  if (!Array.isArray(features)) return;
  const names = new Set(features.filter((name) => typeof name === 'string'));
  if (!names.has('echo')) names.delete('patch');
  party.features = names;
  if (!Array.isArray(collections)) return;
  const here = new Map(collections.map(fieldsOf).map(({ name, conflict }) => [name, conflict]));
  // In the own scope a missing one is a mistake, which the first push tells.
  if (party.scope !== undefined) party.collections = party.collections.filter(({ name }) => here.has(name));
  if (!names.has('patch')) return;
  // What the app's resolver makes of a patch, only the app knows.
  party.patchable = new Set(party.names.filter((name) => here.has(name) && here.get(name) !== 'custom'));
}
