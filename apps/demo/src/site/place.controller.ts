import { Controller, Get, Inject } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';

/** Where this demo has its routes, as it is configured. */
export interface Place {
  /** Path of the sync routes: `/sync`. */
  readonly sync: string;
  /** Path of the socket: `/sync/stream`. */
  readonly stream: string;
  /** Whether `POST /auth/token` is there. Not in production. */
  readonly signsIn: boolean;
}

export const PLACE = Symbol('PLACE');

/** What the page at `/` asks first. */
@ApiExcludeController()
@Controller('demo')
export class PlaceController {
  constructor(@Inject(PLACE) private readonly where: Place) {}

  @Get()
  place(): Place {
    return this.where;
  }
}
