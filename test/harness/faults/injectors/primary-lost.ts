import { nothingToHeal, type Injector } from './injector';

/** It asks the others to take over first; after this time it may be elected again. */
export const primarySteppedDown: Injector = async ({ trio }, { durationMs }) => {
  const primary = await trio.primary();
  const seconds = Math.max(2, Math.ceil(durationMs / 1000));
  await primary.admin({ replSetStepDown: seconds, secondaryCatchUpPeriodSecs: 1, force: true });
  return nothingToHeal;
};

/** Nothing that is sent to it arrives, and no answer of its comes back; what it asks the others does. */
export const primaryUnreachable: Injector = async ({ trio }) => {
  const primary = await trio.primary();
  const proxy = trio.proxies[trio.members.indexOf(primary)];
  if (!proxy) throw new Error('There is no proxy in front of the primary.');
  proxy.hold(true);
  return () => proxy.hold(false);
};
