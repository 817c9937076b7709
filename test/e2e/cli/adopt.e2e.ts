import mongoose, { type Connection } from 'mongoose';
import { runCli } from '../../../libs/sync/src/cli/program';
import { testDatabase } from '../../support/database';

describe('nest-offline-sync adopt', () => {
  const { uri, name: database, serverUri } = testDatabase(__filename);
  let connection: Connection;

  beforeAll(async () => {
    connection = await mongoose.createConnection(uri).asPromise();
  });
  afterAll(() => connection.close());

  const adopt = async (...argv: string[]) => {
    const result = { code: -1, out: '', err: '' };
    result.code = await runCli(
      ['adopt', '--mongodb-uri', serverUri, '--database', database, '--collection', 'customers', ...argv],
      { out: (text) => (result.out += text), err: (text) => (result.err += text) },
    );
    return result;
  };

  it('adopts a collection that only the database knows, names what it cannot take, and takes it back', async () => {
    const customers = connection.collection('customers');
    const businesses = [new mongoose.Types.ObjectId(), new mongoose.Types.ObjectId()];
    await customers.insertMany(
      Array.from({ length: 30 }, (_, n) => ({
        name: `c${String(n)}`,
        business_id: businesses[n % 2],
        secret: 's',
        __v: 3,
      })),
    );
    await customers.insertOne({ name: 'nobody’s' });
    const before = await customers.find().toArray();

    const dry = await adopt('--scope-field', 'business_id', '--dry-run', '--where', '{"name":{"$ne":"c0"}}');
    expect(dry).toMatchObject({ code: 1, err: '' });
    expect(dry.out).toMatch(/Not adopted: 1 documents \(scope_missing\): business_id is missing/);
    expect(dry.out).toMatch(/Would adopt 29 documents of customers into 2 scopes/);

    const done = await adopt(
      '--scope-field',
      'business_id',
      '--hidden',
      'secret',
      '--actor',
      'import',
      '--json',
    );
    expect(JSON.parse(done.out)).toMatchObject({ adopted: 30, scopes: 2, refused: [{ count: 1 }] });
    const entries = await connection.collection('sync_oplog').find().toArray();
    expect(entries).toHaveLength(30);
    expect(JSON.stringify(entries)).not.toMatch(/secret|__v/);
    expect(entries[0]).toMatchObject({ actor: 'import', operation: 'upsert' });

    const back = await adopt('--revert');
    expect(back).toMatchObject({
      code: 0,
      out: 'Released 30 documents of 2 scopes, removed 0 tombstones.\n',
    });
    expect(await customers.find().toArray()).toEqual(before);
  });

  it.each([
    [['--scope-field', '_id'], /scopeField must be the dotted path/],
    [[], /Give --scope-field/],
    [['--scope-field', 'business_id', '--where', '[1]'], /--where must be a filter/],
    [['--collection', 'no_such', '--scope-field', 'business_id'], /no_such has no documents/],
    [['--collection', 'sync_oplog', '--scope-field', 'business_id'], /not a collection of yours/],
  ])('says what is wrong with %j', async (argv, message) => {
    const { code, err } = await adopt(...argv);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});
