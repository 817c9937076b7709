import type { SentPatch } from '../history';
import type { PatchFields, Template, WorkloadCollection } from './options';
import type { PatchPlan } from './push-plan';

/** What of a planned patch the collection has fields for. */
export function sentPatch(
  { inc, add, remove, optional }: PatchPlan,
  fields: PatchFields = {},
  number: number,
): SentPatch {
  const values = (numbers: readonly number[]): string[] =>
    fields.list === undefined ? [] : [...new Set(numbers)].map((value) => `v${String(value)}`);
  return {
    inc: fields.count === undefined ? 0 : inc,
    add: values(add),
    remove: values(remove),
    ...(fields.optional === undefined || optional === null
      ? {}
      : { optional: optional === 'set' ? `text ${String(number)}` : null }),
  };
}

/**
 * The parts of a patch as they go over the wire.
 *
 * @param document the whole document with the marker, for its field that holds it; null when the patch does not set it
 */
export function patchParts(
  { inc, add, remove, optional }: SentPatch,
  { template, patch = {} }: WorkloadCollection,
  document: Template | null,
): Record<string, unknown> {
  const { count, list, optional: mayBeMissing } = patch;
  const data: Record<string, unknown> = {};
  if (document !== null) {
    const field = markedField(template);
    data[field] = document[field];
  }
  if (mayBeMissing !== undefined && typeof optional === 'string') data[mayBeMissing] = optional;
  return {
    ...(Object.keys(data).length === 0 ? {} : { data }),
    ...(mayBeMissing !== undefined && optional === null ? { unset: [mayBeMissing] } : {}),
    ...(count === undefined || inc === 0 ? {} : { inc: { [count]: inc } }),
    ...(list === undefined || add.length === 0 ? {} : { add: { [list]: add } }),
    ...(list === undefined || remove.length === 0 ? {} : { remove: { [list]: remove } }),
  };
}

/** The field of a template that the marker is in. */
function markedField(template: Template): string {
  const names = Object.keys(template);
  return names.find((name) => JSON.stringify(template[name]).includes('{marker}')) ?? names[0] ?? '';
}
