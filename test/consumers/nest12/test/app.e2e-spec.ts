import { Test, TestingModule } from '@nestjs/testing';
import { INestApplication } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule, SyncService } from 'nest-offline-sync';
import { FixedWallClock } from 'nest-offline-sync/testing';
import { AppModule } from './../src/app.module.js';

describe('an app with SyncModule (e2e)', () => {
  let app: INestApplication;

  beforeEach(async () => {
    const moduleFixture: TestingModule = await Test.createTestingModule({
      imports: [
        MongooseModule.forRoot(process.env.MONGODB_URI ?? ''),
        SyncModule.forRoot({
          jwt: { secret: process.env.JWT_SECRET },
          collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
        }),
      ],
    }).compile();

    app = moduleFixture.createNestApplication();
    await app.init();
  });

  it('pushes and pulls', async () => {
    const identity = { scopeId: 'corner-cafe', actorId: 'alice' };
    const sync = app.get(SyncService);
    const { results } = await sync.push(identity, {
      client_id: 'phone-1',
      changes: [{ collection: 'notes', operation: 'upsert', doc_id: 'n1', data: { text: 'hello' } }],
    });
    expect(results[0]).toMatchObject({ status: 'accepted' });
    expect(await sync.pull(identity)).toMatchObject({ changes: [{ doc_id: 'n1' }] });
  });

  it('has the same clock in tests as the package says', () => {
    expect(new FixedWallClock(7).now()).toBe(7);
  });

  afterEach(async () => {
    await app.close();
  });
});

/** The module of the documentation, whose constructors get their services by type. */
it('starts the module of the documentation', async () => {
  const fixture = await Test.createTestingModule({ imports: [AppModule] }).compile();
  await fixture.createNestApplication().init();
  await fixture.close();
});
