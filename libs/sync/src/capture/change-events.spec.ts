import type { StoredDocument } from '../codec/stored-document';
import { joined, tell, type ChangeEvent, type ForeignWrite, type Seen } from './change-events';

const FIELD = 'owner.shop';

/** An event as MongoDB tells it. */
function event(more: Partial<ChangeEvent>): ChangeEvent {
  return { _id: {}, operationType: 'update', ns: { coll: 'items' }, documentKey: { _id: 1 }, ...more };
}
const inNorth = { _sync_scope_id: 'north', _sync_version: 'v2', owner: { shop: 'north' } };
const update = (updatedFields: object, removedFields: string[] = [], before: object = inNorth): ChangeEvent =>
  event({
    fullDocumentBeforeChange: before as StoredDocument,
    updateDescription: { updatedFields: updatedFields as StoredDocument, removedFields },
  });
const told = (one: ChangeEvent) => tell(one, () => FIELD);
const movedBy = (one: ChangeEvent): unknown => (told(one) as ForeignWrite).moved;

describe('whose write an event is', () => {
  it('is the engine’s when the version rises, and when documents are taken or given free', () => {
    expect(told(update({ _sync_version: 'v3', name: 'x' }))).toEqual({ kind: 'own' });
    expect(told(update({ _sync_lock: true }))).toEqual({ kind: 'own' });
    expect(told(update({}, ['_sync_version', '_sync_scope_id']))).toEqual({ kind: 'own' });
    expect(told(event({ operationType: 'insert', fullDocument: { _sync_version: 'v1' } }))).toEqual({
      kind: 'own',
    });
  });

  it('is somebody else’s when the version stays, or an old one comes back', () => {
    expect(told(update({ name: 'x' }))).toMatchObject({ kind: 'write', isDelete: false });
    expect(told(update({ _sync_version: 'v1' }))).toMatchObject({ kind: 'write' });
    // An update whose pipeline replaces the document.
    const replaced = update({ name: 'x' }, ['_sync_version', '_sync_scope_id']);
    expect(told({ ...replaced, touchesContent: true })).toMatchObject({ kind: 'write' });
    expect(told(update({}, ['_sync_version', '_sync_scope_id', 'name']))).toMatchObject({ kind: 'write' });
    const back = { fullDocumentBeforeChange: inNorth, fullDocument: { ...inNorth, _sync_version: 'v2' } };
    expect(told(event({ operationType: 'replace', ...back }))).toMatchObject({ kind: 'write' });
  });

  it('is somebody else’s when the engine’s fields are those of another document', () => {
    const ofOther = { _sync_version: 'v9', _sync_scope_id: 'north', _sync_owner_id: 2 };
    const own = { ...ofOther, _sync_owner_id: 1 };
    for (const operationType of ['insert', 'replace']) {
      expect(told(event({ operationType, fullDocument: ofOther }))).toMatchObject({ kind: 'write' });
      expect(told(event({ operationType, fullDocument: own }))).toEqual({ kind: 'own' });
    }
    expect(told(update(ofOther))).toMatchObject({ kind: 'write', before: inNorth });
    expect(told(update(own))).toEqual({ kind: 'own' });
    // What becomes of such a document concerns no scope of the other one.
    const later = told(update({ 'owner.shop': 'south' }, [], { ...ofOther, owner: { shop: 'north' } }));
    expect(later).toMatchObject({ kind: 'write', moved: undefined, before: { owner: { shop: 'north' } } });
    expect(joined(undefined, later as ForeignWrite)).toMatchObject({ scopeId: undefined, since: undefined });
  });

  it('is unclear when it does not tell which document, or in which scope it was', () => {
    expect(told(event({ operationType: 'delete' }))).toEqual({
      kind: 'unclear',
      collections: ['items'],
    });
    expect(told(event({ operationType: 'drop', documentKey: undefined }))).toMatchObject({ kind: 'unclear' });
    const tombstone = { fullDocumentBeforeChange: { ...inNorth, _sync_deleted: true } };
    expect(told(event({ operationType: 'delete', ...tombstone }))).toEqual({ kind: 'own' });
  });
});

describe('what moves a document', () => {
  it.each([
    ['the field itself', { 'owner.shop': 'south' }, [], { to: 'south' }],
    ['an object around it', { owner: { shop: 'south' } }, [], { to: 'south' }],
    ['its removal', {}, ['owner.shop'], { to: undefined }],
    ['the removal of an object around it', {}, ['owner'], { to: undefined }],
    ['an object without it', { owner: {} }, [], { to: undefined }],
  ])('is %s', (_, updatedFields, removedFields, moved) => {
    expect(movedBy(update(updatedFields, removedFields))).toEqual(moved);
  });

  it('is a whole document that names another scope', () => {
    const replaced = { operationType: 'replace', fullDocumentBeforeChange: inNorth };
    expect(movedBy(event({ ...replaced, fullDocument: { owner: { shop: 'south' } } }))).toEqual({
      to: 'south',
    });
    expect(movedBy(event({ ...replaced, fullDocument: { owner: { shop: 'north' } } }))).toBeUndefined();
  });

  it('is no write of another field, also when the field names another scope by then', () => {
    const forged = { ...inNorth, owner: { shop: 'south' } };
    expect(movedBy(update({ name: 'x' }, [], forged))).toBeUndefined();
    expect(movedBy(update({ 'owner.shop': 'south' }, [], forged))).toBeUndefined();
  });

  it('is no write of a document that was in no scope', () => {
    expect(movedBy(update({ 'owner.shop': 'south' }, [], { owner: { shop: 'north' } }))).toBeUndefined();
  });

  it('is found among all that a batch tells of the document', () => {
    const events = [
      event({ operationType: 'insert', fullDocument: { owner: { shop: 'north' } } }),
      update({ 'owner.shop': 'south' }),
      update({ name: 'x' }, [], { ...inNorth, owner: { shop: 'south' } }),
    ];
    const seen = events.reduce<Seen | undefined>(
      (all, one) => joined(all, told(one) as ForeignWrite),
      undefined,
    );
    expect(seen).toMatchObject({ scopeId: 'north', since: 'v2', isGone: false, moved: { to: 'south' } });
  });
});
