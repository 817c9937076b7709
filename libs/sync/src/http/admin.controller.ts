import {
  Body,
  Get,
  Inject,
  Injectable,
  Param,
  Post,
  Query,
  Res,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { SyncAdminSettings } from '../options/admin-options';
import { ADMIN_SETTINGS } from '../options/tokens';
import { Admitted, AdminGuard } from './admin.guard';
import { AdminTarget } from './admin-target';
import { sendJson } from './response';
import { SyncRouteFilter } from './sync-error.filter';

/**
 * The routes of an operator: they carry what OperatorService says and decide nothing. The module makes a subclass with
 * the path of its options. As SyncController, it takes queries as they come, and answers through the adapter.
 */
@Injectable()
@UseGuards(AdminGuard)
@UseFilters(SyncRouteFilter)
export class AdminController {
  constructor(
    private readonly target: AdminTarget,
    private readonly host: HttpAdapterHost,
    @Inject(ADMIN_SETTINGS) private readonly settings: SyncAdminSettings,
  ) {}

  /** Lists the scopes, in the order of their ids. */
  @Get('scopes')
  async scopes(@Admitted() _: true, @Query() query: unknown, @Res() response: unknown): Promise<void> {
    this.answer(response, await this.target.operator.scopes(query));
  }

  /** Shows one scope. */
  @Get('scopes/:scope')
  async scope(@Admitted() _: true, @Param('scope') id: string, @Res() response: unknown): Promise<void> {
    this.answer(response, await this.target.operator.scope(id));
  }

  /** Lists the devices, those first that were seen last. */
  @Get('devices')
  async devices(@Admitted() _: true, @Query() query: unknown, @Res() response: unknown): Promise<void> {
    this.answer(response, await this.target.operator.devices(query));
  }

  /** Lists refused changes, the newest first. */
  @Get('refused')
  async refused(@Admitted() _: true, @Query() query: unknown, @Res() response: unknown): Promise<void> {
    this.answer(response, await this.target.operator.refused(query));
  }

  /** Pushes a refused change again. */
  @Post('refused/:id/apply')
  async apply(@Admitted() _: true, @Param('id') id: string, @Res() response: unknown): Promise<void> {
    this.answer(response, await this.target.operator.applyAgain(id, this.settings));
  }

  /** Says how the engine does. */
  @Get('status')
  async status(@Admitted() _: true, @Res() response: unknown): Promise<void> {
    this.answer(response, await this.target.operator.status());
  }

  /** Compares documents and log, and writes nothing. */
  @Post('verify')
  async verify(@Admitted() _: true, @Body() body: unknown, @Res() response: unknown): Promise<void> {
    this.answer(response, await this.target.operator.verify(body, this.settings.verifyTimeoutMs));
  }

  private answer(response: unknown, value: object): void {
    sendJson(this.host.httpAdapter, response, Buffer.from(JSON.stringify(value)));
  }
}
