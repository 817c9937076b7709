import { Logger } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { loadPromClient, MissingPackage } from '../options/optional-peers';
import { SyncError } from '../protocol/errors';
import type { SyncOptions } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { NoMetrics, type SyncMetrics } from './metrics';
import { PromMetrics, type PromClient } from './prom-metrics';

/**
 * What SYNC_METRICS stands for: the prom-client series, or nothing when metrics are switched off. Without prom-client
 * (an optional peer) there are none either, which is said once; an app that asks for them does not start.
 *
 * @param load how prom-client is loaded
 * @throws SyncError `configuration` when `metricsRegistry` is no prom-client registry, or when prom-client is missing
 *   and an option asks for metrics
 */
export function provideMetrics(
  options: Pick<SyncOptions, 'metricsRegistry' | 'metricsEnabled'>,
  settings: Pick<SyncSettings, 'metricsEnabled'>,
  load: () => PromClient = loadPromClient,
): SyncMetrics {
  if (!settings.metricsEnabled) return new NoMetrics();
  try {
    return new PromMetrics(load(), registryOf(options.metricsRegistry));
  } catch (error) {
    const isAskedFor = options.metricsEnabled === true || options.metricsRegistry !== undefined;
    if (isAskedFor || !(error instanceof MissingPackage)) throw error;
    new Logger('SyncModule').log(
      'Metrics are off, because prom-client is not installed: `npm install prom-client` turns them on, ' +
        '`metricsEnabled: false` turns this line off.',
    );
    return new NoMetrics();
  }
}

function registryOf(given: object | undefined): Registry | undefined {
  // Not instanceof: the host may have a copy of prom-client of its own.
  if (given === undefined || ('getSingleMetric' in given && 'registerMetric' in given))
    return given as Registry | undefined;
  throw new SyncError('configuration', 'SyncModule: option metricsRegistry must be a prom-client Registry.', {
    path: 'metricsRegistry',
  });
}
