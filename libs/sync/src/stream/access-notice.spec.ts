import * as fc from 'fast-check';
import '../../../../test/support/runs';
import { identityText } from '../identity/identity';
import { actorOfNotice, noticeOf, NOTICES, oldNotices } from './access-notice';

describe('a notice that somebody’s access has changed', () => {
  it('tells whose, whatever the id is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (actor) => {
        const { wire } = noticeOf(actor, new Date(0), 'u', 1);
        expect(actorOfNotice(Buffer.from(wire))).toBe(
          actor.toWellFormed() === actor ? actor : expect.anything(),
        );
      }),
    );
  });

  it('is under a scope that nobody can have', () => {
    expect(identityText(NOTICES)).toBeUndefined();
  });

  it('is old after ten minutes', () => {
    const at = new Date('2026-05-02T12:00:00.000Z');
    const { version } = oldNotices(at);
    const before = noticeOf('a', new Date(at.getTime() - 600_001), 'u', 1).version;
    const after = noticeOf('a', new Date(at.getTime() - 599_999), 'u', 1).version;
    expect(before < version.$lt && after > version.$lt).toBe(true);
  });

  it('that says nothing is about nobody', () => {
    for (const text of ['{}', '[]', '{"actor":1}', 'null'])
      expect(actorOfNotice(Buffer.from(text))).toBeUndefined();
  });
});
