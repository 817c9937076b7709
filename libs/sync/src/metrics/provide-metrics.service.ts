import { Logger } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { SyncError } from '../protocol/errors';
import type { SyncOptions } from '../sync.options';
import type { SyncSettings } from '../sync.settings';
import { NoMetrics, type SyncMetrics } from './metrics';
import { PromMetrics, type PromClient } from './prom-metrics.service';

/**
 * What SYNC_METRICS stands for: the prom-client series, or nothing when metrics are switched off or prom-client (an
 * optional peer) is not installed, which is said once.
 *
 * @param load how prom-client is loaded
 * @throws SyncError `configuration` when `metricsRegistry` is no prom-client registry
 */
export async function provideMetrics(
  options: Pick<SyncOptions, 'metricsRegistry'>,
  settings: Pick<SyncSettings, 'metricsEnabled'>,
  load: () => Promise<PromClient> = () => import('prom-client'),
): Promise<SyncMetrics> {
  if (!settings.metricsEnabled) return new NoMetrics();
  const prom = await load().catch((error: unknown) => {
    if (!isMissing(error)) throw error;
    new Logger('SyncModule').log(
      'Metrics are off, because prom-client is not installed: `npm install prom-client` turns them on, ' +
        '`metricsEnabled: false` turns this line off.',
    );
    return undefined;
  });
  return prom ? new PromMetrics(prom, registryOf(options.metricsRegistry)) : new NoMetrics();
}

function registryOf(given: object | undefined): Registry | undefined {
  // Not instanceof: the host may have a copy of prom-client of its own.
  if (given === undefined || ('getSingleMetric' in given && 'registerMetric' in given))
    return given as Registry | undefined;
  throw new SyncError('configuration', 'SyncModule: option metricsRegistry must be a prom-client Registry.', {
    path: 'metricsRegistry',
  });
}

/** Whether prom-client itself is not there; a broken installation of it is not the same. */
function isMissing(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    (code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND') &&
    String(message).split('\n')[0]?.includes("'prom-client'") === true
  );
}
