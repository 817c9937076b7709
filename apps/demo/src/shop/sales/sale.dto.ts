import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsISO8601, IsOptional, IsString, IsUUID, Length } from 'class-validator';
import { IsMoney } from '../money';
import { PAYMENTS, type Payment } from './sale.schema';

export class SaleDto {
  @ApiProperty({ format: 'date-time' })
  @IsISO8601()
  soldAt!: string;

  @ApiProperty({ example: 'till-2' })
  @IsString()
  @Length(1, 50)
  till!: string;

  @ApiProperty({ example: '12.40' })
  @IsMoney()
  total!: string;

  @ApiProperty({ enum: PAYMENTS })
  @IsIn(PAYMENTS)
  paidBy!: Payment;

  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsUUID()
  orderId?: string;
}
