import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import { Schema as MongooseSchema, Types } from 'mongoose';

export const PAYMENTS = ['cash', 'card', 'voucher'] as const;
export type Payment = (typeof PAYMENTS)[number];

@Schema({ collection: 'sales' })
export class Sale {
  /** A UUID in 16 bytes; on the wire its text. */
  @Prop({ type: MongooseSchema.Types.UUID })
  _id!: Types.UUID;

  @Prop({ type: Date, required: true })
  soldAt!: Date;

  @Prop({ type: String, required: true })
  till!: string;

  @Prop({ type: Types.Decimal128, required: true })
  total!: Types.Decimal128;

  @Prop({ type: String, enum: PAYMENTS, required: true })
  paidBy!: Payment;

  @Prop({ type: String })
  orderId?: string;
}

export const SaleSchema = SchemaFactory.createForClass(Sale);
