/** Of docs/protocol.md, "Error codes": the change itself is wrong, or the identity may not make it. */
export const MALFORMED_CODES: ReadonlySet<string> = new Set([
  'invalid_change',
  'invalid_doc_id',
  'invalid_version',
  'clock_drift',
  'invalid_data',
  'unknown_field',
  'forbidden_key',
  'too_deep',
  'document_too_large',
  'unsafe_number',
  'invalid_string',
  'validation_failed',
  'unknown_collection',
  'wrong_scope',
  'forbidden',
  'invalid_patch',
  'mutation_id_required',
  'patch_mismatch',
]);

/** Another writer came first; the answer shows what is stored. */
export const CONFLICT_CODES: ReadonlySet<string> = new Set(['conflict_stale', 'conflict_deleted']);

/** Every code that a rejected change may have. */
export const CHANGE_CODES: ReadonlySet<string> = new Set([
  ...MALFORMED_CODES,
  ...CONFLICT_CODES,
  'parent_unknown',
  'parent_refused',
  'document_missing',
  'id_unavailable',
  'unique_violation',
  'refused_by_database',
  'preparation_timeout',
  'conflict_retry',
  'resolver_failed',
  'mutation_id_reused',
  'batch_rolled_back',
]);

/** With 503. */
export const UNAVAILABLE_CODES: ReadonlySet<string> = new Set([
  'busy',
  'unavailable',
  'shutting_down',
  'preparation_timeout',
]);
