import { randomUUID } from 'node:crypto';
import { ConflictException, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { SyncService, type SyncIdentity, type SyncTransaction } from 'nest-offline-sync';
import { InventoryItem } from '../inventory/inventory-item.schema';
import { fromCents, toCents } from '../money';
import type { OrderLineDto } from './order.dto';
import type { PlacedOrderDto, PlaceOrderDto, WantedItemDto } from './place-order.dto';

/** An app's own service that writes through the sync log: what it writes reaches every device, like a push. */
@Injectable()
export class OrdersService {
  constructor(
    @InjectModel(InventoryItem.name) private readonly items: Model<InventoryItem>,
    private readonly sync: SyncService,
  ) {}

  /**
   * Takes the items from stock and stores the order, both or neither, and both in the log. May be retried when another writer of
   * the same business was faster, so it has no side effects outside the transaction.
   *
   * @throws ConflictException when an item is unknown or not enough is left; nothing is written then
   */
  async place(identity: SyncIdentity, { customerId, lines: wanted }: PlaceOrderDto): Promise<PlacedOrderDto> {
    const orderId = randomUUID();
    return this.sync.transaction(identity, async (tx) => {
      const lines: OrderLineDto[] = [];
      // One after another: MongoDB takes one operation of a session at a time.
      for (const item of wanted) lines.push(await this.take(tx, identity, item));
      const cents = lines.reduce((sum, line) => sum + toCents(line.unitPrice) * BigInt(line.quantity), 0n);
      const total = fromCents(cents);
      const placedAt = new Date().toISOString();
      await tx.upsert('orders', orderId, { customerId, lines, total, state: 'placed', placedAt });
      return { orderId, total };
    });
  }

  private async take(
    tx: SyncTransaction,
    identity: SyncIdentity,
    wanted: WantedItemDto,
  ): Promise<OrderLineDto> {
    const { itemId, quantity } = wanted;
    const item = await this.items
      .findOne({ _id: itemId, _sync_scope_id: identity.scopeId, _sync_deleted: { $ne: true } })
      .session(tx.session)
      .lean();
    if (!item) throw new ConflictException(`There is no item ${itemId}.`);
    if (item.quantity < quantity)
      throw new ConflictException(`Only ${String(item.quantity)} of "${item.name}" are left.`);
    item.quantity -= quantity;
    await tx.upsert('inventory_items', itemId, item);
    return { itemId, name: item.name, unitPrice: fromCents(toCents(item.price)), quantity };
  }
}
