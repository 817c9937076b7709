import { Module, type DynamicModule } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { DevTokenController } from './dev-token.controller';

@Module({})
export class DevTokenModule {
  static register(secret: string): DynamicModule {
    return {
      module: DevTokenModule,
      imports: [JwtModule.register({ secret, signOptions: { algorithm: 'HS256' } })],
      controllers: [DevTokenController],
    };
  }
}
