import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller';
import { MetricsController } from './metrics.controller';
import { TrialController } from './trial.controller';
import { PLACE, PlaceController, type Place } from './place.controller';

/** What surrounds the shop: what its page asks, health, metrics. */
@Module({})
export class SiteModule {
  static register(place: Place): DynamicModule {
    return {
      module: SiteModule,
      imports: [TerminusModule],
      controllers: [
        PlaceController,
        HealthController,
        MetricsController,
        ...(place.signsIn ? [TrialController] : []),
      ],
      providers: [{ provide: PLACE, useValue: place }],
    };
  }
}
