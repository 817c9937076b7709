import type { mongo } from 'mongoose';
import { fill, FILL_BARE, FILL_ORIGINAL, FILL_OURS, type FillLayout, type FillOptions } from '../load/fill';
import type { Variant } from '../model';
import type { FilledLog } from '../workload/filled-log';
import { databaseOf, type Bench } from './bench';

/** Puts the same logs into the databases of all variants of a row that read. */
export async function fillVariants(
  bench: Bench,
  variants: readonly Variant[],
  logs: readonly FilledLog[],
  options?: FillOptions,
): Promise<void> {
  for (const variant of variants) {
    const place = await placeOf(bench, variant);
    if (place) await fill(place.db, place.layout, logs, options);
  }
}

async function placeOf(
  bench: Bench,
  variant: Variant,
): Promise<{ db: mongo.Db; layout: FillLayout } | undefined> {
  switch (variant) {
    case 'echo':
    case 'http':
      return undefined;
    case 'bare':
      return { db: (await bench.bare()).db, layout: FILL_BARE };
    case 'original':
    case 'ours-1':
    case 'ours-2':
      // It has made its indexes when it is ready.
      await bench.server(variant);
      return {
        db: bench.client.db(databaseOf(variant)),
        layout: variant === 'original' ? FILL_ORIGINAL : FILL_OURS,
      };
  }
}
