import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import { randomUUID } from 'node:crypto';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

@Schema({ _id: false })
export class Address {
  @Prop({ type: String })
  street?: string;

  @Prop({ type: String })
  city?: string;

  @Prop({ type: String })
  country?: string;
}

@Schema({ collection: 'customers', timestamps: true })
export class Customer {
  /** A UUID, kept as the text that it is on the wire. */
  @Prop({ type: String, match: UUID, default: () => randomUUID() })
  _id!: string;

  @Prop({ type: String, required: true })
  name!: string;

  @Prop({ type: String, lowercase: true, trim: true })
  email?: string;

  @Prop({ type: SchemaFactory.createForClass(Address) })
  address?: Address;

  @Prop({ type: Number, default: 0, min: 0 })
  loyaltyPoints!: number;
}

export const CustomerSchema = SchemaFactory.createForClass(Customer);
