import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import { Types } from 'mongoose';

@Schema({ collection: 'inventory_items', timestamps: true })
export class InventoryItem {
  @Prop({ type: String, required: true })
  name!: string;

  @Prop({ type: Types.ObjectId })
  categoryId?: Types.ObjectId;

  /** Decimal128 keeps money exact. On the wire it is a string: "3.20". */
  @Prop({ type: Types.Decimal128, required: true })
  price!: Types.Decimal128;

  /** Pieces in stock. */
  @Prop({ type: Number, required: true, min: 0 })
  quantity!: number;
}

export const InventoryItemSchema = SchemaFactory.createForClass(InventoryItem);
