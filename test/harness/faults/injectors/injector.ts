import type { FaultCluster } from '../cluster';
import type { Fault } from '../schedule';

/** Ends the fault. Resolves when the system could be well again; it need not be yet. */
export type Heal = () => Promise<void> | void;

/**
 * Causes one fault. Resolves when it is in effect.
 *
 * @throws Error when it cannot be done: the run then says so, and does not count it
 */
export type Injector = (cluster: FaultCluster, fault: Fault) => Promise<Heal> | Heal;

/** For faults that are over immediately. */
export const nothingToHeal: Heal = () => undefined;
