import { matches, orderOf, type Query, type Row } from './query.ts';

interface Task {
  title?: string | null;
  n?: number;
  done?: boolean;
}
const rows: Row<Task>[] = [
  { _id: 'c', title: 'b', n: 1 },
  { _id: 'a', title: 'a', n: 2, done: true },
  { _id: 'b', title: 'b', n: 2 },
  { _id: 'd', title: null },
];
const found = (query: Query<Task>) =>
  rows
    .filter((row) => matches(query, row))
    .sort(orderOf(query))
    .map((row) => row._id);

it.each([
  ['everything by id', {}, 'abcd'],
  ['a value', { where: { title: 'b' } }, 'bc'],
  ['null or missing', { where: { title: null } }, 'd'],
  ['bounds, of the same type alone', { where: { n: { gte: 2 } } }, 'ab'],
  ['a list', { where: { n: { in: [1] } } }, 'c'],
  ['a filter besides', { where: { n: 2 }, filter: (row: Task) => row.done === true }, 'a'],
  ['missing first, ties by id', { orderBy: 'n' }, 'dcab'],
  ['downwards', { orderBy: ['n', 'desc'] }, 'abcd'],
  ['by two fields', { orderBy: [['title', 'desc'], 'n'] }, 'cbad'],
] as const)('finds %s', (_, query, ids) => {
  expect(found(query as never).join('')).toBe(ids);
});
