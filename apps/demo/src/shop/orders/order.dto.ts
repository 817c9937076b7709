import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsIn,
  IsInt,
  IsISO8601,
  IsMongoId,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Min,
  ValidateNested,
} from 'class-validator';
import { IsMoney } from '../money';
import { TimestampedDto } from '../timestamped.dto';
import { ORDER_STATES, type OrderState } from './order.schema';

export class OrderLineDto {
  @ApiProperty({ description: 'ObjectId of an inventory item' })
  @IsMongoId()
  itemId!: string;

  @ApiProperty()
  @IsString()
  @Length(1, 200)
  name!: string;

  @ApiProperty({ example: '18.50' })
  @IsMoney()
  unitPrice!: string;

  @ApiProperty({ minimum: 1 })
  @IsInt()
  @Min(1)
  quantity!: number;
}

export class OrderDto extends TimestampedDto {
  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsUUID()
  customerId?: string;

  @ApiProperty({ type: [OrderLineDto] })
  @ValidateNested({ each: true })
  @ArrayMinSize(1)
  @ArrayMaxSize(100)
  @Type(() => OrderLineDto)
  lines!: OrderLineDto[];

  @ApiProperty({ example: '37.00' })
  @IsMoney()
  total!: string;

  @ApiProperty({ enum: ORDER_STATES })
  @IsIn(ORDER_STATES)
  state!: OrderState;

  @ApiProperty({ format: 'date-time' })
  @IsISO8601()
  placedAt!: string;
}
