import { portKind, SyncAuthorizer } from './ports';

describe('a port', () => {
  it('is a class when its prototype, or one above it, has the method', () => {
    class Own extends SyncAuthorizer {
      authorize(): boolean {
        return true;
      }
    }
    class Heir extends Own {}
    expect(portKind(Own, 'authorize', 'x')).toBe('class');
    expect(portKind(Heir, 'authorize', 'x')).toBe('class');
  });

  it('is a function otherwise, in each way to write one', () => {
    const object = { authorize: () => true, method() {} };
    for (const port of [() => true, async () => true, function named() {}, object.method])
      expect(portKind(port, 'authorize', 'x')).toBe('function');
  });

  it('is refused by name when it can be neither', () => {
    class Wrong {
      allow(): boolean {
        return true;
      }
    }
    expect(() => portKind(Wrong, 'authorize', 'collection notes: authorizer')).toThrow(
      /collection notes: authorizer is the class Wrong, which has no method authorize/,
    );
    expect(() => portKind({ authorize: () => true }, 'authorize', 'x')).toThrow(/must be a provider's class/);
  });
});
