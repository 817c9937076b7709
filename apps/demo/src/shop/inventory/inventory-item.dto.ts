import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsMongoId, IsOptional, IsString, Length, Min } from 'class-validator';
import { IsMoney } from '../money';
import { TimestampedDto } from '../timestamped.dto';

export class InventoryItemDto extends TimestampedDto {
  @ApiProperty({ example: 'Espresso beans, 1 kg' })
  @IsString()
  @Length(1, 200)
  name!: string;

  @ApiPropertyOptional({ description: 'ObjectId, 24 hex digits' })
  @IsOptional()
  @IsMongoId()
  categoryId?: string;

  @ApiProperty({ example: '18.50' })
  @IsMoney()
  price!: string;

  @ApiProperty({ minimum: 0 })
  @IsInt()
  @Min(0)
  quantity!: number;
}
