import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { SyncHealthIndicator } from 'nest-offline-sync';

@ApiTags('site')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly sync: SyncHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  @ApiOperation({ summary: 'Whether this process can work: database, change stream, clock' })
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.sync.isHealthy()]);
  }
}
