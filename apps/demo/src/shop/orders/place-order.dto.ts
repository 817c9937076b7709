import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsInt,
  IsMongoId,
  IsOptional,
  IsUUID,
  Min,
  ValidateNested,
} from 'class-validator';

export class WantedItemDto {
  @ApiProperty({ description: 'ObjectId of an inventory item', pattern: '^[0-9a-fA-F]{24}$' })
  @IsMongoId()
  itemId!: string;

  @ApiProperty({ minimum: 1, example: 2 })
  @IsInt()
  @Min(1)
  quantity!: number;
}

/** Body of POST /orders. The server knows names and prices. */
export class PlaceOrderDto {
  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsUUID()
  customerId?: string;

  @ApiProperty({ type: [WantedItemDto], minItems: 1, maxItems: 100 })
  @ValidateNested({ each: true })
  @ArrayMinSize(1)
  @ArrayMaxSize(100)
  @ArrayUnique((line: WantedItemDto) => line.itemId, { message: 'each item may be in one line only' })
  @Type(() => WantedItemDto)
  lines!: WantedItemDto[];
}

export class PlacedOrderDto {
  @ApiProperty({ format: 'uuid' })
  orderId!: string;

  @ApiProperty({ example: '37.00' })
  total!: string;
}
