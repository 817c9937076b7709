import { Selection, Selections } from './selection';

describe('a selection of collections', () => {
  const selection = new Selection(['tasks', 'notes']);

  it('tells its entries from others, here and in a query', () => {
    expect(selection.has({ collection: 'tasks' })).toBe(true);
    expect(selection.has({ collection: 'other' })).toBe(false);
    expect(selection.has({})).toBe(false);
    expect(selection.filter()).toEqual({ collection: { $in: ['tasks', 'notes'] } });
  });

  it('is the same as another of these collections, in any order', () => {
    expect(selection.isSameAs(new Selection(['notes', 'tasks', 'notes']))).toBe(true);
    expect(selection.isSameAs(new Selection(['notes']))).toBe(false);
    expect(selection.isSameAs(new Selection(['notes', 'tasks', 'other']))).toBe(false);
    expect(selection.isSameAs(new Selection(['notes', 'other']))).toBe(false);
  });

  it('has a key of its names and their order', () => {
    expect(new Selection(['tasks', 'notes']).key).toBe(selection.key);
    expect(new Selection(['notes', 'tasks']).key).not.toBe(selection.key);
    expect(new Selection(['tasks,notes']).key).not.toBe(selection.key);
  });
});

describe('selections of collections', () => {
  it('are shared by those who ask for the same, in the same order', () => {
    const selections = new Selections();
    const first = selections.of(['tasks', 'notes']);
    expect(first.names).toEqual(['tasks', 'notes']);
    expect(selections.of(['tasks', 'notes'])).toBe(first);
    expect(selections.of(['notes', 'tasks']).names).toEqual(['notes', 'tasks']);
    expect(selections.of(['tasks,notes']).names).toEqual(['tasks,notes']);
  });

  it('are let go when there are too many', () => {
    const selections = new Selections();
    const first = selections.of(['tasks']);
    for (let i = 0; i < 300; i += 1) selections.of([`c${i}`]);
    expect(selections.of(['tasks'])).not.toBe(first);
    expect(selections.of(['tasks'])).toEqual(first);
  });
});
