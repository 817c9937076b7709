import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SyncError } from 'nest-offline-sync-protocol';
import type { OperatorService } from '../operator/operator.service';
import type { SyncAdminSettings } from '../options/admin-options';
import { ADMIN_CONNECTION_NAME, ADMIN_SETTINGS, getOperatorToken } from '../options/tokens';

/** The instance of SyncModule that is shown. It may be anywhere in the app, so it is looked for once all is made. */
@Injectable()
export class AdminTarget implements OnModuleInit {
  private found: OperatorService | undefined;

  constructor(
    private readonly moduleRef: ModuleRef,
    @Inject(ADMIN_CONNECTION_NAME) private readonly name: { readonly connectionName: string | undefined },
    @Inject(ADMIN_SETTINGS) private readonly settings: SyncAdminSettings,
  ) {}

  /** @throws SyncError `configuration` where there is no such instance */
  onModuleInit(): void {
    const { connectionName } = this.name;
    try {
      this.found = this.moduleRef.get<OperatorService>(getOperatorToken(connectionName), { strict: false });
    } catch (cause) {
      const named = connectionName === undefined ? '' : ` with connectionName: '${connectionName}'`;
      throw new SyncError(
        'configuration',
        `SyncAdminModule: there is no SyncModule.forRoot()${named} in this app. Import that in the root module.`,
        { cause, path: 'connectionName' },
      );
    }
    this.found.open(this.settings);
  }

  /** @throws SyncError `unavailable` before the app has started */
  get operator(): OperatorService {
    if (this.found) return this.found;
    throw new SyncError('unavailable', 'The server is still starting. Try again shortly.');
  }
}
