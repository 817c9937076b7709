import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import { Types } from 'mongoose';
import { randomUUID } from 'node:crypto';

export const ORDER_STATES = ['placed', 'packed', 'sent', 'cancelled'] as const;
export type OrderState = (typeof ORDER_STATES)[number];

@Schema({ _id: false })
export class OrderLine {
  @Prop({ type: Types.ObjectId, required: true })
  itemId!: Types.ObjectId;

  /** Name and price as they were when the order was placed. */
  @Prop({ type: String, required: true })
  name!: string;

  @Prop({ type: Types.Decimal128, required: true })
  unitPrice!: Types.Decimal128;

  @Prop({ type: Number, required: true, min: 1 })
  quantity!: number;
}

@Schema({ collection: 'orders', timestamps: true })
export class Order {
  @Prop({ type: String, default: () => randomUUID() })
  _id!: string;

  @Prop({ type: String })
  customerId?: string;

  @Prop({ type: [SchemaFactory.createForClass(OrderLine)], required: true })
  lines!: OrderLine[];

  @Prop({ type: Types.Decimal128, required: true })
  total!: Types.Decimal128;

  @Prop({ type: String, enum: ORDER_STATES, default: 'placed' })
  state!: OrderState;

  @Prop({ type: Date, required: true })
  placedAt!: Date;
}

export const OrderSchema = SchemaFactory.createForClass(Order);
