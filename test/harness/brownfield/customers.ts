import { Schema, Types } from 'mongoose';

/** What the services of the team have always stored. Nothing here knows of sync. */
export interface Customer {
  _id: Types.ObjectId;
  business_id: Types.ObjectId;
  name: string;
  /** `hot` ones are counted up by everybody, and neither moved nor deleted. */
  state: 'hot' | 'open';
  visits: number;
  tags: string[];
  address: { city: string; zip: string };
  /** The newest write of the service that owns the document. */
  mark: number;
}

/** The schema of the services, unchanged since before there was an app. */
export function customerSchema(): Schema<Customer> {
  const schema = new Schema<Customer>(
    {
      business_id: { type: Schema.Types.ObjectId, required: true },
      name: { type: String, required: true },
      state: { type: String, default: 'open' },
      visits: { type: Number, default: 0 },
      tags: [String],
      address: { city: String, zip: String },
      mark: { type: Number, default: 0 },
    },
    { timestamps: true, collection: COLLECTION },
  );
  schema.index({ business_id: 1, state: 1 });
  return schema;
}

export const COLLECTION = 'customers';
export const SCOPE_FIELD = 'business_id';
export const HOT_PER_SCOPE = 3;

/** How large the database is, and who writes it. */
export interface Size {
  readonly documents: number;
  readonly scopes: number;
  readonly services: number;
}

export function businessId(scope: number): Types.ObjectId {
  return new Types.ObjectId(`b05e55${scope.toString(16).padStart(18, '0')}`);
}

export function customerId(n: number): Types.ObjectId {
  return new Types.ObjectId(`c0ffee${n.toString(16).padStart(18, '0')}`);
}

/** Document `n` as it was before anybody wrote it again. */
export function customer(n: number, { scopes }: Size): Customer {
  return {
    _id: customerId(n),
    business_id: businessId(n % scopes),
    name: `Customer ${String(n)}`,
    state: n < HOT_PER_SCOPE * scopes ? 'hot' : 'open',
    visits: 0,
    tags: [],
    address: { city: 'Graz', zip: String(8000 + (n % 100)) },
    mark: 0,
  };
}

/** Which service may move and delete document `n`. */
export function ownerOf(n: number, { scopes, services }: Size): number {
  return Math.floor(n / scopes) % services;
}
