import { MembershipHistory } from './membership-history';

describe('the history of who could do what', () => {
  const history = new MembershipHistory();
  const before = history.now();
  history.set('ann', 'team', 'read');
  const reading = history.now();
  history.set('ann', 'team', 'write');
  history.set('ann', 'team', 'none');
  const after = history.now();

  it('knows the level of every moment', () => {
    const levels = [before, reading, after].map((at) => history.levelAt('ann', 'team', at));
    expect(levels).toEqual(['none', 'read', 'none']);
    expect(history.levelAt('bob', 'team', after)).toBe('none');
    expect(history.access({ scopeId: 'own', actorId: 'ann' }, 'team')).toBe('none');
  });

  it('knows what could be between two moments, and what could not', () => {
    expect(history.couldEver('ann', 'team', 'write', reading, after)).toBe(true);
    expect(history.couldEver('ann', 'team', 'write', before, reading)).toBe(false);
    expect(history.couldEver('ann', 'team', 'read', before, reading)).toBe(true);
    expect(history.couldEver('ann', 'team', 'read', after, after)).toBe(false);
    expect(history.couldEverNot('ann', 'team', 'read', reading, reading)).toBe(false);
    expect(history.couldEverNot('ann', 'team', 'read', reading, after)).toBe(true);
  });
});
