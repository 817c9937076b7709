import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncAdminModule, SyncModule, type SyncScopes } from 'nest-offline-sync';
import { OperatorGuard } from './auth/operator.guard';
import { DevTokenModule } from './auth/dev-token.module';
import { isProduction, type Environment } from './config/environment';
import { signingSecret } from './config/signing-secret';
import { streamPath, syncExtras, syncOptions, syncPrefix } from './config/sync-options';
import { mongooseOptions } from './database/mongoose-options';
import { ShopScopes } from './shop/scopes/shop-scopes';
import { ShopModule } from './shop/shop.module';
import { SiteModule } from './site/site.module';

/** What a host adds for sync is SyncModule.forRoot here, and SyncModule.forFeature in each module of ShopModule. */
@Module({})
export class AppModule {
  /**
   * @param environment with a MONGODB_URI: that of the embedded server, when there is no other
   * @param scopes who may use which scope
   */
  static register(environment: Environment, scopes: Type<SyncScopes> = ShopScopes): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          // Read and checked before Nest started, by readEnvironment.
          ignoreEnvFile: true,
          skipProcessEnv: true,
          load: [() => ({ ...environment })],
        }),
        MongooseModule.forRootAsync({ useFactory: () => mongooseOptions(environment) }),
        SyncModule.forRootAsync({
          ...syncExtras(environment),
          useFactory: () => ({ ...syncOptions(environment), scopes }),
        }),
        SyncAdminModule.forRoot({
          guards: [OperatorGuard],
          refusedBodies: true,
          applyAs: ({ scopeId, actorId }) => ({ user_id: actorId, business_id: scopeId }),
        }),
        ShopModule,
        SiteModule.register({
          sync: `/${syncPrefix(environment)}`,
          stream: streamPath(environment),
          signsIn: tokenSecret(environment) !== undefined,
        }),
        ...devTokens(environment),
      ],
    };
  }
}

/** In production the route does not exist; another service issues the tokens. */
function devTokens(environment: Environment): DynamicModule[] {
  const secret = tokenSecret(environment);
  return secret === undefined ? [] : [DevTokenModule.register(secret)];
}

function tokenSecret(environment: Environment): string | undefined {
  return isProduction(environment) ? undefined : signingSecret(environment);
}
