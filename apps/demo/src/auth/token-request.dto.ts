import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length, Matches } from 'class-validator';

export class TokenRequestDto {
  @ApiProperty({ example: 'alice', description: 'Who acts. Kept with each document.' })
  @IsString()
  @Length(1, 100)
  user_id!: string;

  @ApiProperty({
    example: 'corner-cafe',
    description: 'The tenant. All that is read or written stays inside it.',
  })
  @IsString()
  @Length(1, 100)
  // Scopes that are no businesses: see ShopScopes.
  @Matches(/^(?!user:|catalog$)/, { message: 'business_id must not be catalog, nor begin with user:' })
  business_id!: string;

  @ApiPropertyOptional({ enum: ['operator'], description: 'May see and do what is at /admin.' })
  @IsOptional()
  @IsIn(['operator'])
  role?: 'operator';
}

export class TokenDto {
  @ApiProperty()
  token!: string;

  @ApiProperty({ description: 'Seconds' })
  expires_in!: number;
}
