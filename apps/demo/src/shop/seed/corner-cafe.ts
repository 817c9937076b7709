import { doc, hoursAgo, type ExampleDocument } from './example-document';

const DRINKS = 'caf0000000000000000000c1';
const BAKERY = 'caf0000000000000000000c2';
const BEANS = 'caf000000000000000000001';
const CUPS = 'caf000000000000000000002';
const CINNAMON_BUNS = 'caf000000000000000000003';
const INGRID = 'caf00000-0000-4000-8000-0000000000a1';
const OMAR = 'caf00000-0000-4000-8000-0000000000a2';
const ORDER = 'caf00000-0000-4000-8000-0000000000b1';

export function cornerCafe(now: Date): ExampleDocument[] {
  return [
    doc('categories', DRINKS, { name: 'Hot drinks', colour: '#aa5500', position: 0 }),
    doc('categories', BAKERY, { name: 'Bakery', colour: '#e0b050', position: 1 }),
    doc('inventory_items', BEANS, {
      name: 'Espresso beans, 1 kg',
      categoryId: DRINKS,
      price: '18.50',
      quantity: 24,
    }),
    doc('inventory_items', CUPS, { name: 'Cup, 200 ml', categoryId: DRINKS, price: '4.20', quantity: 60 }),
    doc('inventory_items', CINNAMON_BUNS, {
      name: 'Cinnamon bun',
      categoryId: BAKERY,
      price: '3.80',
      quantity: 12,
    }),
    doc('customers', INGRID, {
      name: 'Ingrid Example',
      email: 'ingrid@example.com',
      address: { street: 'Storgata 1', city: 'Oslo', country: 'NO' },
      loyaltyPoints: 40,
    }),
    doc('customers', OMAR, { name: 'Omar Example', email: 'omar@example.com', loyaltyPoints: 5 }),
    doc('orders', ORDER, {
      customerId: INGRID,
      lines: [
        { itemId: BEANS, name: 'Espresso beans, 1 kg', unitPrice: '18.50', quantity: 1 },
        { itemId: CUPS, name: 'Cup, 200 ml', unitPrice: '4.20', quantity: 4 },
      ],
      total: '35.30',
      state: 'packed',
      placedAt: hoursAgo(now, 20),
    }),
    doc('sales', 'caf00000-0000-4000-8000-0000000000d1', {
      soldAt: hoursAgo(now, 3),
      till: 'till-1',
      total: '7.60',
      paidBy: 'card',
    }),
    doc('tasks', 'cafe-clean-grinder', {
      title: 'Clean the grinder',
      done: false,
      priority: 2,
      tags: ['daily'],
    }),
    doc('tasks', 'cafe-order-milk', { title: 'Order milk', done: true, dueAt: hoursAgo(now, -18) }),
    doc('notes', 'settings', { opens: '07:30', closes: '17:00', wifi: { name: 'corner-cafe' } }),
  ];
}
