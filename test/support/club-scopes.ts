import { Body, Controller, HttpCode, Inject, Injectable, Post } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Connection, mongo } from 'mongoose';
import { SyncService, type AccessLevel, type SyncIdentity, type SyncScopes } from 'nest-offline-sync';
import type { Membership } from '../../libs/conformance/src/workload';

/**
 * Clubs: scopes that nobody's token is of. An identity is let into one, and put out of it, by a route; the database keeps who
 * is in, so that all processes say the same at any moment.
 */
interface Member {
  /** Actor and scope. */
  readonly _id: string;
  /** Of the request that said so: one that comes late changes nothing. */
  readonly n: number;
  readonly level: AccessLevel;
}

const CLUB = 'club-';
const MEMBERS = 'club_members';
const READ_LIMIT_MS = 3_000;
const ANSWER_LIMIT_MS = 10_000;

const keyOf = (actor: string, scope: string): string => JSON.stringify([actor, scope]);

export function isClub(scope: string): boolean {
  return scope.startsWith(CLUB);
}

@Injectable()
export class ClubScopes implements SyncScopes {
  constructor(@InjectConnection() private readonly connection: Connection) {}

  async list({ actorId }: SyncIdentity): Promise<string[]> {
    const all = await this.members.find({ level: 'write' }).maxTimeMS(READ_LIMIT_MS).toArray();
    const known = all.map(({ _id }) => JSON.parse(_id) as [string, string]);
    return known.flatMap(([actor, scope]) => (actor === actorId ? [scope] : []));
  }

  async access({ actorId }: SyncIdentity, scopeId: string): Promise<AccessLevel> {
    // A primary that does not know that it has been replaced must not answer.
    const fresh = { readConcern: 'linearizable', maxTimeMS: READ_LIMIT_MS } as const;
    const member = await this.members.findOne({ _id: keyOf(actorId, scopeId) }, fresh);
    return member?.level ?? 'none';
  }

  private get members(): mongo.Collection<Member> {
    return this.connection.collection<Member>(MEMBERS);
  }
}

interface Word {
  readonly actor: string;
  readonly scope: string;
  readonly level: AccessLevel;
  readonly n: number;
}

@Controller('clubs')
export class ClubsController {
  constructor(
    @InjectConnection() private readonly connection: Connection,
    @Inject(SyncService) private readonly sync: SyncService,
  ) {}

  @Post()
  @HttpCode(200)
  async set(@Body() { actor, scope, level, n }: Word): Promise<object> {
    await this.connection
      .collection<Member>(MEMBERS)
      .updateOne(
        { _id: keyOf(actor, scope), n: { $lt: n } },
        { $set: { n, level } },
        { upsert: true, writeConcern: { w: 'majority' } },
      );
    await this.sync.accessChanged(actor);
    return { level };
  }
}

/** For the checker: lets the actors of its tokens into clubs of these names, and puts them out. */
export function clubsAt(
  urls: readonly string[],
  actors: Readonly<Record<'main' | 'other', string>>,
  names: readonly string[],
  longestMs: number,
): Membership {
  let n = 0;
  return {
    scopes: names.map((name) => `${CLUB}${name}`),
    longestMs,
    set: async (tenant, scope, level) => {
      n += 1;
      const body = JSON.stringify({ actor: actors[tenant], scope, level, n });
      const headers = { 'content-type': 'application/json' };
      const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
      try {
        const url = `${urls[n % urls.length] ?? ''}/clubs`;
        const answer = await fetch(url, { method: 'POST', headers, body, signal });
        await answer.arrayBuffer();
        return { status: answer.status, code: null };
      } catch {
        return null;
      }
    },
  };
}
