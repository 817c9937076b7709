import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller';
import { HomeController } from './home.controller';
import { MetricsController } from './metrics.controller';

/** What surrounds the shop: the front page, health, metrics. */
@Module({
  imports: [TerminusModule],
  controllers: [HomeController, HealthController, MetricsController],
})
export class SiteModule {}
