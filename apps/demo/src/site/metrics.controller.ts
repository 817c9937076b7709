import { Controller, Get, Header } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { collectDefaultMetrics, register } from 'prom-client';
import { clusterMetrics } from './cluster-metrics';

/** The library registers its series in the registry of the host: here prom-client's default one. */
@ApiTags('site')
@Controller('metrics')
export class MetricsController {
  constructor() {
    // Once a process: tests start several apps in one.
    if (!register.getSingleMetric('process_cpu_seconds_total')) collectDefaultMetrics();
  }

  @Get()
  @Header('Content-Type', register.contentType)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Prometheus metrics, of all workers together' })
  @ApiProduces('text/plain')
  async metrics(): Promise<string> {
    return (await clusterMetrics()) ?? (await register.metrics());
  }
}
