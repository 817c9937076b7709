import { Selections } from './selection';

describe('selections of collections', () => {
  it('are shared by those who ask for the same, in the same order', () => {
    const selections = new Selections();
    const first = selections.of(['tasks', 'notes']);
    expect(first).toEqual({ names: ['tasks', 'notes'], asked: new Set(['tasks', 'notes']) });
    expect(selections.of(['tasks', 'notes'])).toBe(first);
    expect(selections.of(['notes', 'tasks']).names).toEqual(['notes', 'tasks']);
    expect(selections.of(['tasks,notes']).asked).toEqual(new Set(['tasks,notes']));
  });

  it('are let go when there are too many', () => {
    const selections = new Selections();
    const first = selections.of(['tasks']);
    for (let i = 0; i < 300; i += 1) selections.of([`c${String(i)}`]);
    expect(selections.of(['tasks'])).not.toBe(first);
    expect(selections.of(['tasks'])).toEqual(first);
  });
});
