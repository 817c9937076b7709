import { Module } from '@nestjs/common';
import { MongooseModule, Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import { SyncModule } from 'nest-offline-sync';

@Schema({ collection: 'tasks', timestamps: true })
class Task {
  @Prop({ type: String, required: true })
  _id!: string;

  @Prop({ type: String, required: true })
  title!: string;
}

class TaskDto {
  @IsString()
  title!: string;

  @IsOptional()
  @IsBoolean()
  done?: boolean;
}

@Module({
  imports: [
    MongooseModule.forRoot(process.env.MONGODB_URI ?? ''),
    SyncModule.forRoot({
      jwt: { secret: process.env.JWT_SECRET },
      scopeIdField: 'business_id',
      metricsEnabled: true,
    }),
    MongooseModule.forFeature([{ name: Task.name, schema: SchemaFactory.createForClass(Task) }]),
    SyncModule.forFeature([{ name: 'tasks', ids: 'scoped', dto: TaskDto }]),
  ],
})
export class AppModule {}
