import type { Model } from 'mongoose';
import { Types } from 'mongoose';
import { Chance } from '../devices/random';
import {
  businessId,
  customerId,
  HOT_PER_SCOPE,
  ownerOf,
  SCOPE_FIELD,
  type Customer,
  type Size,
} from './customers';

/** A document as its service has left it. */
export interface Owned {
  readonly id: string;
  /** Null: deleted. */
  readonly scope: number | null;
  readonly mark: number;
}

/** What a service knows of its own writes, told by the database alone. */
export interface Ledger {
  /** Documents that were written. */
  readonly writes: number;
  /** Increments of `visits`, all documents together. */
  readonly visits: number;
  readonly inserted: number;
  readonly deleted: number;
  readonly owned: readonly Owned[];
  /** The database, or Mongoose, has refused a write. */
  readonly errors: readonly string[];
  readonly kinds: Readonly<Record<string, number>>;
}

const WEIGHTS = {
  save: 14,
  updateOne: 18,
  updateMany: 6,
  insertMany: 6,
  deleteOne: 6,
  deleteMany: 2,
  bulkWrite: 8,
  findOneAndUpdate: 12,
  move: 5,
  nativeUpdate: 10,
  nativeReplace: 6,
  nativeInsert: 4,
} as const;
type Kind = keyof typeof WEIGHTS;

/** A service of the team: it writes its documents as it always has, one write after another, and keeps a ledger of them. */
export class ServiceWrites {
  private readonly owned = new Map<string, Owned>();
  private readonly made: string[] = [];
  private readonly chance: Chance;
  private readonly kinds: Record<string, number> = {};
  private readonly errors: string[] = [];
  private readonly sums = { writes: 0, visits: 0, inserted: 0, deleted: 0 };
  private mark = 0;

  constructor(
    private readonly customers: Model<Customer>,
    private readonly size: Size,
    private readonly index: number,
    seed: number,
  ) {
    this.chance = new Chance(seed);
  }

  async next(): Promise<void> {
    const kind = this.chance.weighted(WEIGHTS);
    try {
      await this.of[kind]();
      this.kinds[kind] = (this.kinds[kind] ?? 0) + 1;
    } catch (error) {
      if (this.errors.length < 10) this.errors.push(`${kind}: ${String(error)}`);
    }
  }

  ledger(): Ledger {
    const { sums, errors, kinds } = this;
    return { ...sums, errors, kinds, owned: [...this.owned.values()] };
  }

  private readonly of: Readonly<Record<Kind, () => Promise<void>>> = {
    save: async () => {
      const { id, scope } = this.own();
      const found = await this.customers.findById(id);
      if (!found) throw new Error(`${id} is not there`);
      const mark = ++this.mark;
      found.set({ name: `Saved ${String(mark)}`, mark });
      await found.save();
      this.wrote({ id, scope, mark });
    },
    updateOne: async () => {
      const { modifiedCount } = await this.customers.updateOne({ _id: this.hot() }, { $inc: { visits: 1 } });
      this.counted(modifiedCount);
    },
    updateMany: async () => {
      const { modifiedCount } = await this.customers.updateMany(
        { [SCOPE_FIELD]: businessId(this.scope()), state: 'hot' },
        { $inc: { visits: 1 } },
      );
      this.counted(modifiedCount);
    },
    insertMany: async () => {
      const some = Array.from({ length: this.chance.between(1, 4) }, () => this.fresh());
      await this.customers.insertMany(some.map(({ document }) => document));
      for (const { owned } of some) this.inserted(owned);
    },
    deleteOne: async () => {
      const { id } = this.own();
      const { deletedCount } = await this.customers.deleteOne({ _id: id });
      this.deleted(id, deletedCount);
    },
    deleteMany: async () => {
      const ids = [...new Set([this.own().id, this.own().id])];
      const { deletedCount } = await this.customers.deleteMany({ _id: { $in: ids } });
      ids.forEach((id, at) => this.deleted(id, at < deletedCount ? 1 : 0));
    },
    bulkWrite: async () => {
      const { document, owned } = this.fresh();
      const gone = this.own();
      const result = await this.customers.bulkWrite([
        { updateOne: { filter: { _id: this.hot() }, update: { $inc: { visits: 1 } } } },
        { insertOne: { document } },
        { deleteOne: { filter: { _id: new Types.ObjectId(gone.id) } } },
      ]);
      this.counted(result.modifiedCount);
      this.inserted(owned);
      this.deleted(gone.id, result.deletedCount);
    },
    findOneAndUpdate: async () => {
      const found = await this.customers.findOneAndUpdate(
        { _id: this.hot() },
        { $inc: { visits: 1 }, $push: { tags: { $each: [`t${String(this.mark)}`], $slice: -5 } } },
        { returnDocument: 'after' },
      );
      this.counted(found ? 1 : 0);
    },
    move: async () => {
      const { id } = this.own();
      const scope = this.scope();
      const mark = ++this.mark;
      await this.customers.updateOne({ _id: id }, { $set: { [SCOPE_FIELD]: businessId(scope), mark } });
      this.wrote({ id, scope, mark });
    },
    nativeUpdate: async () => {
      const { id, scope } = this.own();
      const mark = ++this.mark;
      await this.customers.collection.updateOne(
        { _id: new Types.ObjectId(id) },
        { $set: { 'address.city': `City ${String(mark)}`, mark }, $unset: { tags: '' } },
      );
      this.wrote({ id, scope, mark });
    },
    nativeReplace: async () => {
      const { id, scope } = this.own();
      const { document, owned } = this.fresh(this.chance.next() < 0.3 ? this.scope() : (scope ?? 0));
      const { _id: _, ...whole } = document;
      await this.customers.collection.replaceOne({ _id: new Types.ObjectId(id) }, whole);
      this.wrote({ ...owned, id });
    },
    nativeInsert: async () => {
      const { document, owned } = this.fresh();
      await this.customers.collection.insertOne(document);
      this.inserted(owned);
    },
  };

  private scope(): number {
    return this.chance.between(0, this.size.scopes - 1);
  }

  private hot(): Types.ObjectId {
    return customerId(this.chance.between(0, HOT_PER_SCOPE * this.size.scopes - 1));
  }

  private fresh(scope = this.scope()): { document: Customer; owned: Owned } {
    const mark = ++this.mark;
    const _id = new Types.ObjectId();
    const document = {
      ...{ _id, business_id: businessId(scope), name: `Made ${String(mark)}`, state: 'open' as const },
      ...{ visits: 0, tags: ['new'], address: { city: 'Linz', zip: '4020' }, mark },
    };
    return { document, owned: { id: _id.toHexString(), scope, mark } };
  }

  /** One of its own that is there. */
  private own(): Owned {
    const { size, index, chance } = this;
    for (;;) {
      const id = chance.next() < 0.3 ? chance.one(this.made) : undefined;
      const known = id === undefined ? undefined : this.owned.get(id);
      if (known && known.scope !== null) return known;
      const n = chance.between(HOT_PER_SCOPE * size.scopes, size.documents - 1);
      if (ownerOf(n, size) !== index) continue;
      const seeded = customerId(n).toHexString();
      const owned = this.owned.get(seeded) ?? { id: seeded, scope: n % size.scopes, mark: 0 };
      if (owned.scope !== null) return owned;
    }
  }

  private wrote(owned: Owned): void {
    this.owned.set(owned.id, owned);
    this.sums.writes += 1;
  }

  private inserted(owned: Owned): void {
    this.wrote(owned);
    this.made.push(owned.id);
    this.sums.inserted += 1;
  }

  private counted(documents: number): void {
    this.sums.visits += documents;
    this.sums.writes += documents;
  }

  private deleted(id: string, count: number): void {
    if (count !== 1) throw new Error(`${id} was not there to be deleted`);
    this.sums.deleted += 1;
    this.wrote({ id, scope: null, mark: this.mark });
  }
}
