import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';

@Schema({ collection: 'tasks', timestamps: true })
export class Task {
  /** Chosen by the device that makes the task: any string, such as "task-abc-123". */
  @Prop({ type: String, required: true })
  _id!: string;

  @Prop({ type: String, required: true })
  title!: string;

  @Prop({ type: Boolean, default: false })
  done!: boolean;

  @Prop({ type: Number, min: 1, max: 5 })
  priority?: number;

  @Prop({ type: Date })
  dueAt?: Date;

  @Prop({ type: [String], default: undefined })
  tags?: string[];
}

export const TaskSchema = SchemaFactory.createForClass(Task);
