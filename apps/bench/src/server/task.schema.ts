import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';

/** The benchmark's document with a schema, so that the cost of casting by one shows. */
@Schema({ collection: 'tasks' })
export class Task {
  @Prop({ type: String, required: true })
  _id!: string;

  @Prop({ type: String, required: true })
  title!: string;

  @Prop({ type: Boolean, default: false })
  done!: boolean;

  @Prop({ type: String })
  note?: string;

  @Prop({ type: Number, min: 0 })
  qty?: number;
}

export const TaskSchema = SchemaFactory.createForClass(Task);
