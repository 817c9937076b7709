import { Injectable, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';

/** The token is the user's name, and that is all. */
@Injectable()
class SessionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context
      .switchToHttp()
      .getRequest<{ headers: { authorization?: string }; user?: unknown }>();
    const [, name] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    request.user = { id: name, tenant: { id: 'corner-cafe' } };
    return name !== undefined;
  }
}

@Module({
  imports: [
    MongooseModule.forRoot(process.env.MONGODB_URI ?? ''),
    SyncModule.forRoot({
      guard: SessionGuard,
      actorIdField: 'id',
      scopeIdField: 'tenant.id',
      collections: [{ name: 'tasks', freeForm: true, ids: 'scoped' }],
    }),
  ],
  providers: [SessionGuard],
})
export class AppModule {}
