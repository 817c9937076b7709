import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Environment } from '../config/environment';
import { homePage } from './home-page';

@ApiExcludeController()
@Controller()
export class HomeController {
  constructor(@Inject(ConfigService) private readonly config: ConfigService<Environment, true>) {}

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  home(): string {
    return homePage(this.config.get('SYNC_PREFIX', 'sync'));
  }
}
