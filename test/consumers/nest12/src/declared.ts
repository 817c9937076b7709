import type { HealthCheckService } from '@nestjs/terminus';
import type {
  CollectionRegistry,
  StreamSubscription,
  SyncHealthIndicator,
  SyncService,
} from 'nest-offline-sync';

/** What an app exports without declaring types: each declaration needs names that the package exports. */
export const check = (health: HealthCheckService, sync: SyncHealthIndicator) =>
  health.check([() => sync.isHealthy()]);
export const look = async (sync: SyncHealthIndicator) => (await sync.check()).details;
export const full = async (sync: SyncService) => (await sync.full({ scopeId: 's', actorId: 'a' })).lines;
export const idOf = (sync: SyncService) => sync.storedId('tasks', 's', 't');
export const collection = (registry: CollectionRegistry) => registry.get('tasks');
export const place = (subscription: StreamSubscription) => subscription.position;
