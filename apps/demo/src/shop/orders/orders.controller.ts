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

/** A REST route of the app's own, behind the same guard as the sync routes. */
@ApiTags('orders')
@ApiBearerAuth()
@Controller('orders')
@UseGuards(SyncGuard)
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  @ApiOperation({ summary: 'Places an order: stock down, order in, both on every device' })
  @ApiCreatedResponse({ type: PlacedOrderDto })
  @ApiConflictResponse({
    description: 'An item is unknown or there is not enough of it. Nothing was written.',
  })
  @ApiBadRequestResponse({ description: 'The order has the wrong shape' })
  @ApiUnauthorizedResponse({ description: 'No token, a bad or an expired one' })
  async place(@SyncUser() identity: SyncIdentity, @Body() order: PlaceOrderDto): Promise<PlacedOrderDto> {
    return this.orders.place(identity, order);
  }
}
