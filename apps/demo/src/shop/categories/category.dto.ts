import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsHexColor, IsInt, IsOptional, IsString, Length } from 'class-validator';
import { TimestampedDto } from '../timestamped.dto';

export class CategoryDto extends TimestampedDto {
  @ApiProperty({ example: 'Hot drinks' })
  @IsString()
  @Length(1, 100)
  name!: string;

  @ApiPropertyOptional({ example: '#aa5500' })
  @IsOptional()
  @IsHexColor()
  colour?: string;

  @ApiPropertyOptional({ description: 'Place in the list, from 0' })
  @IsOptional()
  @IsInt()
  position?: number;
}
