import mongoose from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { explainFailure, withoutSecrets } from './failure';

const { MongoParseError, MongoServerError } = mongoose.mongo;

describe('withoutSecrets', () => {
  const uri = 'mongodb://ann:p%40ss-word@db1:27017,db2:27017/shop?authSource=admin';

  it.each([
    ['the whole URI', `cannot use ${uri} now`],
    ['the password as written', 'no user with p%40ss-word'],
    ['the password decoded', 'no user with p@ss-word'],
    ['the user and the password', 'ann:p%40ss-word'],
  ])('takes out %s', (_, text) => {
    const clean = withoutSecrets(text, uri);
    expect(clean).not.toMatch(/p(%40|@)ss-word/);
    expect(clean).toContain('***');
  });

  it('takes out a password whose special characters nobody encoded', () => {
    const odd = 'mongodb://ann:a/b@c:d@db1/shop';
    expect(withoutSecrets(`bad: ${odd}; near a/b@c:d`, odd)).not.toMatch(/a\/b|c:d/);
  });

  it('takes out the password of a URI that is not the given one', () => {
    expect(withoutSecrets('mongodb+srv://x:geheim@cluster/', undefined)).toBe('mongodb+srv://***@cluster/');
  });

  it('leaves a text alone that holds none', () => {
    expect(withoutSecrets('ann went to db1', uri)).toBe('ann went to db1');
    expect(withoutSecrets('ok', 'mongodb://db1/shop')).toBe('ok');
  });
});

describe('explainFailure', () => {
  it('gives the remedy that the engine knows', () => {
    expect(explainFailure(new SyncError('configuration', 'SyncModule: do this.'), undefined)).toBe(
      'do this.',
    );
  });

  it('says how a URI looks', () => {
    expect(explainFailure(new MongoParseError('Invalid scheme'), 'x')).toContain(
      'mongodb://user:password@host',
    );
  });

  it.each([
    [18, 'user or the password'],
    [13, 'Grant it readWrite'],
    [11000, 'unique index {"sku":1}'],
  ])('explains code %d of the server', (code, words) => {
    const error = new MongoServerError({
      message: 'dup key: { sku: "of somebody" }',
      code,
      keyPattern: { sku: 1 },
    });
    const text = explainFailure(error, undefined);
    expect(text).toContain(words);
    expect(text).not.toContain('somebody');
  });
});
