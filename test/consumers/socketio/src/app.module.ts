import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { SyncModule } from 'nest-offline-sync';

@WebSocketGateway()
class ChatGateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() text: string): string {
    return text;
  }
}

@Module({
  imports: [
    MongooseModule.forRoot(process.env.MONGODB_URI ?? ''),
    SyncModule.forRoot({
      jwt: { secret: process.env.JWT_SECRET },
      scopeIdField: 'business_id',
      collections: [{ name: 'tasks', freeForm: true, ids: 'scoped' }],
    }),
  ],
  providers: [ChatGateway],
})
export class AppModule {}
