import { doc, hoursAgo, type ExampleDocument } from './example-document';

const PARTS = 'b1ce000000000000000000c1';
const TUBE = 'b1ce00000000000000000001';
const CHAIN = 'b1ce00000000000000000002';
const MEI = 'b1ce0000-0000-4000-8000-0000000000a1';
const ORDER = 'b1ce0000-0000-4000-8000-0000000000b1';

export function bikeShop(now: Date): ExampleDocument[] {
  return [
    doc('categories', PARTS, { name: 'Spare parts', colour: '#336699', position: 0 }),
    doc('inventory_items', TUBE, { name: 'Inner tube 28"', categoryId: PARTS, price: '7.90', quantity: 80 }),
    doc('inventory_items', CHAIN, {
      name: 'Chain, 11 speed',
      categoryId: PARTS,
      price: '31.00',
      quantity: 9,
    }),
    doc('customers', MEI, {
      name: 'Mei Example',
      email: 'mei@example.com',
      address: { city: 'Utrecht', country: 'NL' },
      loyaltyPoints: 110,
    }),
    doc('orders', ORDER, {
      customerId: MEI,
      lines: [{ itemId: CHAIN, name: 'Chain, 11 speed', unitPrice: '31.00', quantity: 2 }],
      total: '62.00',
      state: 'placed',
      placedAt: hoursAgo(now, 1),
    }),
    doc('sales', 'b1ce0000-0000-4000-8000-0000000000d1', {
      soldAt: hoursAgo(now, 5),
      till: 'counter',
      total: '15.80',
      paidBy: 'cash',
    }),
    doc('tasks', 'bike-true-wheel', {
      title: 'True the wheel of Mei',
      done: false,
      dueAt: hoursAgo(now, -6),
    }),
    // The café has a note with this id too: each business has its own note ids.
    doc('notes', 'settings', { opens: '09:00', closes: '18:00', workshop: ['mon', 'wed', 'fri'] }),
  ];
}
