import { Body, Controller, Post, UseGuards } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiBearerAuth,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiOperation,
  ApiTags,
  ApiUnauthorizedResponse,
} from '@nestjs/swagger';
import { SyncGuard, SyncUser, type SyncIdentity } from 'nest-offline-sync';
import { OrdersService } from './orders.service';
import { PlacedOrderDto, PlaceOrderDto } from './place-order.dto';

/** The app's own REST route, behind the same guard as the sync routes. */
@ApiTags('orders')
@ApiBearerAuth()
@Controller('orders')
@UseGuards(SyncGuard)
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  @ApiOperation({
    summary: 'Places an order: takes the items from stock and stores the order, on every device',
  })
  @ApiCreatedResponse({ type: PlacedOrderDto })
  @ApiConflictResponse({
    description: 'An item is unknown, or not enough is left. Nothing was written.',
  })
  @ApiBadRequestResponse({ description: 'The order is malformed' })
  @ApiUnauthorizedResponse({ description: 'No token, an invalid or an expired one' })
  async place(@SyncUser() identity: SyncIdentity, @Body() order: PlaceOrderDto): Promise<PlacedOrderDto> {
    return this.orders.place(identity, order);
  }
}
