import { Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import { Types } from 'mongoose';

@Schema({ collection: 'catalog_items', timestamps: true })
export class CatalogItem {
  /** The wholesaler's article number. */
  @Prop({ type: String })
  _id!: string;

  @Prop({ type: String, required: true })
  name!: string;

  @Prop({ type: Types.Decimal128, required: true })
  price!: Types.Decimal128;
}

export const CatalogItemSchema = SchemaFactory.createForClass(CatalogItem);
