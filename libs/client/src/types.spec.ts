import {
  collection,
  createSyncClient,
  inc,
  memory,
  unset,
  type DocumentOf,
  type StandardSchema,
  type SyncClient,
} from './index.ts';

/** What the compiler has to refuse; `npm run typecheck` fails where it does not. */

interface Task {
  title: string;
  done: boolean;
  n?: number;
}
type Schema = StandardSchema<{ title: string; done?: boolean }, { title: string; done: boolean }>;
const collections = {
  tasks: collection<Task>({ indexes: ['done', ['done', 'n']], fields: ['title'] }),
  strict: collection({} as { schema: Schema }),
};
type Client = SyncClient<typeof collections>;

it('carries the types of collections to queries and edits', () => {
  const check = async ({ db, transaction }: Client): Promise<void> => {
    await db.tasks.create({ title: 'x', done: false });
    await db.tasks.patch('i', { n: inc(1), title: unset() });
    await db.strict.create({ title: 'x' });
    const strict: boolean | undefined = (await db.strict.get('i'))?.done;
    const [first] = await db.tasks.find({
      where: { n: { gte: 1 }, done: true, _id: { in: ['a'] } },
      orderBy: ['n', 'desc'],
    });
    const text: string | undefined = first?.title;
    db.tasks
      .live({ where: { n: null }, filter: (row) => row.done })
      .subscribe(({ rows }) => rows[0]?.title.trim());
    const { pending, rejected, version } = db.tasks.sync('i').current;
    await transaction(async (tx) => {
      await tx.strict.create({ title: text ?? String(strict ?? pending + rejected) + String(version) });
      // @ts-expect-error -- a field that the type does not have
      await tx.tasks.patch('i', { titel: 'x' });
    });
    // @ts-expect-error -- no such collection
    db.orders?.find();
    // @ts-expect-error -- a required field is missing
    await db.tasks.create({ title: 'x' });
    // @ts-expect-error -- the schema wants a title
    await db.strict.create({ done: true });
    // @ts-expect-error -- a value of another type
    await db.tasks.patch('i', { n: 'x' });
    // @ts-expect-error -- a condition of another type
    await db.tasks.find({ where: { done: 'yes' } });
    // @ts-expect-error -- a bound of another type
    await db.tasks.find({ where: { n: { gt: 'x' } } });
    // @ts-expect-error -- an order by a field that is not there
    await db.tasks.find({ orderBy: 'title2' });
    // @ts-expect-error -- the filter sees typed rows
    db.tasks.live({ filter: (row) => row.titel });
  };
  expect(check).toBeInstanceOf(Function);
  expect(Object.keys(collections)).toHaveLength(2);
  // @ts-expect-error -- an index of a field that is not there
  collection<Task>({ indexes: ['titel'] });
  // @ts-expect-error -- or of several
  collection<Task>({ indexes: [['done', 'titel']] });
  // @ts-expect-error -- a step gives a document
  collection<Task>({ version: 2, migrate: { 2: () => 'x' } });
  const output: DocumentOf<(typeof collections)['strict']> = { title: 'x', done: true };
  expect(output.done).toBe(true);
  expect(createSyncClient).toBeInstanceOf(Function);
  expect(memory().kind).toBe('memory');
});
