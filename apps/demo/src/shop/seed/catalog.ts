import { doc, type ExampleDocument } from './example-document';

/** The wholesaler's price list. */
export const catalog: readonly ExampleDocument[] = [
  doc('catalog_items', 'W-1001', { name: 'Espresso beans, 10 kg', price: '142.00' }),
  doc('catalog_items', 'W-1002', { name: 'Oat milk, 12 l', price: '19.80' }),
  doc('catalog_items', 'W-2001', { name: 'Inner tube, 28 inch', price: '3.10' }),
];
