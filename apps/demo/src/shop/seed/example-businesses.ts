import { bikeShop } from './bike-shop';
import { cornerCafe } from './corner-cafe';
import type { ExampleDocument } from './example-document';

export interface ExampleBusiness {
  /** The business_id of its tokens: the scope. */
  readonly id: string;
  readonly documents: readonly ExampleDocument[];
}

/** Two tenants, so that it can be seen how they stay apart. */
export function exampleBusinesses(now: Date): ExampleBusiness[] {
  return [
    { id: 'corner-cafe', documents: cornerCafe(now) },
    { id: 'bike-shop', documents: bikeShop(now) },
  ];
}
