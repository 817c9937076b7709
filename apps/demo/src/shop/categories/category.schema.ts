import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';

/** `_id` is Mongoose's usual ObjectId: on the wire a string of 24 hex digits, which a device can make offline. */
@Schema({ collection: 'categories', timestamps: true })
export class Category {
  @Prop({ type: String, required: true })
  name!: string;

  @Prop({ type: String })
  colour?: string;

  @Prop({ type: Number, default: 0 })
  position!: number;
}

export const CategorySchema = SchemaFactory.createForClass(Category);
