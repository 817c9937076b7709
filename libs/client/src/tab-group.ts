import type { Environment, TabChannel, Tabs } from './environment.ts';
import { until, within } from './deadline.ts';
import { LoggedOutError } from './errors.ts';
import { randomId } from './ids.ts';
import { Value } from './observable.ts';
import { askAfter, nextAsk } from './rules/leadership.ts';
import { Session, type Role, type SessionOptions } from './session.ts';
import { OPENING } from './status.ts';
import { isTabMessage, type TabMessage } from './tab-message.ts';

export interface TabGroupPorts {
  /** Of the database of the user's own scope: the lock and the channel are named after it. */
  readonly name: string;
  /** Undefined: this client is on its own. */
  readonly tabs: Tabs | undefined;
  readonly options: SessionOptions;
  /** All is over, or one database is gone. */
  readonly over: (error: unknown, database: string | undefined) => void;
}

/**
 * The tabs of one user, seen from one of them. All write and read the databases; one of them, the leader, talks to the server, for the
 * scopes that any of them has opened. Once opened, a scope is read and sent until the leader ends: it costs a subscription on a
 * socket that is there anyway, and a page that is loaded again finds it up to date.
 */
export class TabGroup {
  private readonly opening = new Map<string, Promise<Session>>();
  private readonly sessions = new Map<string, Session>();
  private readonly scopes = new Map<string, string | undefined>();
  private readonly leading = new Value(false);
  private readonly answers = new Map<string, (isDone: boolean) => void>();
  private readonly leave: (() => void)[] = [];
  private channel: TabChannel | undefined;
  private release: (() => void) | undefined;
  private endTick: (() => void) | undefined;
  private unanswered = 0;
  /** Tasks that need a leader that works, though nobody looks at this tab. */
  private tasks = 0;
  private hasHeard = false;
  private isClosed = false;

  constructor(
    private readonly ports: TabGroupPorts,
    private isPaused: boolean,
  ) {
    const { tabs, name } = ports;
    const wake = this.environment.onWake?.((wasAway = false) => this.wake(wasAway));
    if (wake) this.leave.push(wake);
    if (!tabs) {
      this.leading.set(true);
      return;
    }
    this.channel = tabs.channel(name, (message) => this.receive(message));
    this.wait(tabs, 'wait');
    this.post({ type: 'ask' });
    this.ask(tabs);
  }

  /** The session of a replica, in this tab; opened once. */
  open(database: string, scope: string | undefined): Promise<Session> {
    const known = this.opening.get(database);
    if (known) return known;
    const session = this.begin(database, scope);
    this.opening.set(database, session);
    session.catch(() => this.opening.delete(database));
    return session;
  }

  kick(session: Session): void {
    if (this.leading.current) session.kick();
    else this.post({ type: 'kick', database: session.replica.database.name });
  }

  async flush(session: Session, ms: number): Promise<boolean> {
    this.kick(session);
    return this.asTask(() => session.isSent(ms));
  }

  /** In the tab that leads; in this one, if it comes to lead meanwhile. */
  async syncOnce(session: Session, ms: number): Promise<boolean> {
    const { environment } = this;
    const deadline = environment.now() + ms;
    const id = randomId(environment);
    return this.asTask(async () => {
      if (!this.leading.current) {
        const told = new Promise<boolean>((resolve) => this.answers.set(id, resolve));
        const leads = until(environment, ms, this.leading, () => this.leading.current);
        this.post({ type: 'sync', id, database: session.replica.database.name, ms });
        const isDone = await within(environment, ms, Promise.race([told, leads.then(() => false)]));
        this.answers.delete(id);
        if (!this.leading.current) return isDone;
      }
      return session.syncOnce(deadline - environment.now());
    });
  }

  /** For all tabs. */
  async pause(isPaused: boolean): Promise<void> {
    this.isPaused = isPaused;
    this.post({ type: 'pause', isPaused });
    await this.turn();
  }

  /** To all other tabs: the user has logged out. */
  tellEnd(): void {
    this.post({ type: 'end' });
  }

  /** Nothing is read, written or sent from here once this has resolved. Another tab takes over. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const leave of this.leave.splice(0)) leave();
    this.endTick?.();
    const closed = [...this.opening.values()].map(async (session) => (await session).close());
    await Promise.allSettled(closed);
    this.release?.();
    this.channel?.close();
    this.channel = undefined;
  }

  /** One database is not used any more. */
  async drop(database: string): Promise<void> {
    const session = this.sessions.get(database);
    this.opening.delete(database);
    this.sessions.delete(database);
    await session?.close();
  }

  private async begin(database: string, scope: string | undefined): Promise<Session> {
    const { options, over, tabs } = this.ports;
    const session = await Session.open(await options.storage.open(database), scope, options, {
      wrote: (outcome) => this.post({ type: 'wrote', database, outcome }),
      stands: (status) => this.post({ type: 'stands', database, status }),
      over: (error) => this.isClosed || over(error, database),
      fencedMs: tabs ? FENCED_MS : FENCED_ALONE_MS,
    });
    this.sessions.set(database, session);
    this.scopes.set(database, scope);
    // The leader reads and sends it too, and says how it stands.
    this.post({ type: 'open', database, scope });
    await session.turn(this.role());
    return session;
  }

  private role(): Role {
    if (!this.leading.current) return 'following';
    return this.isPaused ? 'paused' : 'leading';
  }

  private async turn(): Promise<void> {
    await Promise.all([...this.sessions.values()].map((session) => session.turn(this.role())));
  }

  private wait(tabs: Tabs, how: 'wait' | 'steal'): void {
    this.release?.();
    this.release = tabs.lock(this.ports.name, how, (isHeld) => {
      if (this.isClosed) return;
      this.unanswered = 0;
      this.leading.set(isHeld);
      void this.turn();
      if (isHeld) return this.tellHere(true);
      // It was robbed, so it was frozen: what the others have said meanwhile may be lost.
      this.reread();
      this.wait(tabs, 'wait');
      this.post({ type: 'ask' });
    });
  }

  /** Asks now and then whether the leader is there. */
  private ask(tabs: Tabs): void {
    this.endTick?.();
    if (this.isClosed) return;
    if (!this.leading.current) {
      const next = nextAsk(this.unanswered, tabs.isVisible() || this.tasks > 0);
      this.unanswered = next === 'ask' ? this.unanswered + 1 : 0;
      if (next === 'ask') this.post({ type: 'ask' });
      if (next === 'steal') {
        // What it said last is not true any more.
        for (const session of this.sessions.values()) session.hear(OPENING);
        this.wait(tabs, 'steal');
      }
    }
    const { environment } = this;
    this.endTick = environment.timer(askAfter(environment.random()), () => this.ask(tabs));
  }

  private wake(wasAway: boolean): void {
    if (this.leading.current) for (const session of this.sessions.values()) session.kick();
    if (wasAway) this.reread();
    const { tabs } = this.ports;
    this.unanswered = 0;
    if (tabs) this.ask(tabs);
  }

  private reread(): void {
    for (const { replica } of this.sessions.values()) void replica.reread().catch(() => undefined);
  }

  private tellHere(isNew: boolean): void {
    const { isPaused } = this;
    const all = [...this.sessions].map(([database, { stands }]) => [database, stands] as const);
    this.post({ type: 'here', isNew, isPaused, stands: Object.fromEntries(all) });
  }

  private receive(message: unknown): void {
    if (this.isClosed || !isTabMessage(message)) return;
    const isLeader = this.leading.current;
    const session = 'database' in message ? this.sessions.get(message.database) : undefined;
    switch (message.type) {
      case 'ask':
        return isLeader ? this.tellHere(false) : undefined;
      case 'here': {
        if (isLeader) return;
        this.unanswered = 0;
        if (!this.hasHeard) this.isPaused = message.isPaused;
        this.hasHeard = true;
        for (const [database, stands] of Object.entries(message.stands))
          this.sessions.get(database)?.hear(stands);
        if (message.isNew)
          for (const [database, scope] of this.scopes) this.post({ type: 'open', database, scope });
        return;
      }
      case 'open':
        // A database that cannot be opened is for the tab to tell that has asked for it.
        if (isLeader)
          void this.open(message.database, message.scope).then(
            () => this.tellHere(false),
            () => undefined,
          );
        return;
      case 'stands':
        return isLeader ? undefined : session?.hear(message.status);
      case 'wrote':
        return void session?.replica.hear(message.outcome).catch(() => undefined);
      case 'kick':
        return isLeader ? session?.kick() : undefined;
      case 'pause':
        this.isPaused = message.isPaused;
        return void this.turn();
      case 'sync':
        if (isLeader && session)
          void session
            .syncOnce(message.ms)
            .then((isDone) => this.post({ type: 'synced', id: message.id, isDone }));
        return;
      case 'synced':
        return this.answers.get(message.id)?.(message.isDone);
      case 'end':
        return this.ports.over(new LoggedOutError(), undefined);
    }
  }

  private async asTask<T>(work: () => Promise<T>): Promise<T> {
    this.tasks += 1;
    try {
      return await work();
    } finally {
      this.tasks -= 1;
    }
  }

  private post(message: TabMessage): void {
    this.channel?.post(message);
  }

  private get environment(): Environment {
    return this.ports.options.environment;
  }
}

/** With a lock, who is fenced is about to be told that it has lost it. */
const FENCED_MS = 5_000;
/** Without, two processes take turns, so that none stands still for good; what a user looks at is awake, and tries at once. */
const FENCED_ALONE_MS = 300_000;
