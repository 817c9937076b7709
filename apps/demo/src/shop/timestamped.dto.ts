import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsISO8601, IsOptional } from 'class-validator';

/**
 * A client sends back the whole document that it pulled, so a DTO has to know the fields that Mongoose's
 * `timestamps` adds; otherwise such a push would be refused with `unknown_field`.
 */
export class TimestampedDto {
  @ApiPropertyOptional({ format: 'date-time' })
  @IsOptional()
  @IsISO8601()
  createdAt?: string;

  @ApiPropertyOptional({ format: 'date-time' })
  @IsOptional()
  @IsISO8601()
  updatedAt?: string;
}
