import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { ApiBadRequestResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { TokenDto, TokenRequestDto } from './token-request.dto';

const LIFETIME_SECONDS = 8 * 3600;

/** Gives a token to anyone who asks, so that the demo can be tried by hand. A real app has its own sign-in instead. */
@ApiTags('auth')
@Controller('auth')
export class DevTokenController {
  constructor(private readonly jwt: JwtService) {}

  @Post('token')
  @HttpCode(200)
  @ApiOperation({ summary: 'A token for any user of any business (development only)' })
  @ApiOkResponse({ type: TokenDto })
  @ApiBadRequestResponse({ description: 'A field is missing, unknown or too long' })
  async token(@Body() { user_id, business_id, role }: TokenRequestDto): Promise<TokenDto> {
    const token = await this.jwt.signAsync(
      { user_id, business_id, ...(role && { role }) },
      { expiresIn: LIFETIME_SECONDS },
    );
    return { token, expires_in: LIFETIME_SECONDS };
  }
}
