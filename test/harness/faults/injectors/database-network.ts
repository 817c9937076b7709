import type { CuttingProxy } from '../../../support/cutting-proxy';
import type { FaultCluster } from '../cluster';
import { nothingToHeal, type Injector } from './injector';

/** The commit happens, its answer never arrives. */
export const commitReplyLost: Injector = async (cluster, { target }) => {
  const proxy = await beforePrimary(cluster);
  proxy.loseAnswerTo('commitTransaction', 1 + target);
  return () => proxy.loseAnswerTo('commitTransaction', 0);
};

export const connectionsCut: Injector = async (cluster) => {
  (await beforePrimary(cluster)).cutAll();
  return nothingToHeal;
};

/** A slow network, not so slow that the members would elect another. */
export const connectionsSlow: Injector = async (cluster, { target }) => {
  const proxy = await beforePrimary(cluster);
  proxy.delay(10 + 15 * target);
  return () => proxy.delay(0);
};

async function beforePrimary({ trio }: FaultCluster): Promise<CuttingProxy> {
  const proxy = trio.proxies[trio.members.indexOf(await trio.primary())];
  if (!proxy) throw new Error('There is no proxy in front of the primary.');
  return proxy;
}
