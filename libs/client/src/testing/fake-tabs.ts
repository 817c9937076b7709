import type { TabChannel, Tabs } from '../environment.ts';

/**
 * The tabs of a browser, for tests: `environment: { tabs: browser.tab() }` for each client, and one storage for all. Locks and messages
 * come as in a browser, a moment later.
 */
export class FakeTabs {
  private readonly queues = new Map<string, Waiting[]>();
  private readonly channels = new Set<Listening>();

  /** Another tab of this browser. */
  tab(): FakeTab {
    return new FakeTab(this);
  }

  /** @internal */
  lock(tab: FakeTab, name: string, how: 'wait' | 'steal', told: (isHeld: boolean) => void): () => void {
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    const waiting: Waiting = { tab, isTold: false, told };
    const [holder] = queue;
    if (how === 'steal' && holder?.isTold) {
      queue.shift();
      void later(() => holder.tab.run(() => holder.told(false)));
    }
    if (how === 'steal') queue.unshift(waiting);
    else queue.push(waiting);
    this.grant(queue);
    return () => {
      const at = queue.indexOf(waiting);
      if (at < 0) return;
      queue.splice(at, 1);
      this.grant(queue);
    };
  }

  /** @internal */
  channel(tab: FakeTab, name: string, receive: (message: unknown) => void): TabChannel {
    const own: Listening = { tab, name, receive };
    this.channels.add(own);
    return {
      post: (message) => {
        // As it is copied in a browser: nothing but data gets through.
        const text = JSON.stringify(message);
        for (const each of this.channels)
          if (each !== own && each.name === name)
            void later(
              () =>
                this.channels.has(each) && tab.isAlive && each.tab.hear(() => each.receive(JSON.parse(text))),
            );
      },
      close: () => this.channels.delete(own),
    };
  }

  /** @internal What a tab leaves when it ends. */
  left(tab: FakeTab): void {
    for (const each of [...this.channels]) if (each.tab === tab) this.channels.delete(each);
    for (const queue of this.queues.values()) {
      const others = queue.filter((each) => each.tab !== tab);
      queue.splice(0, queue.length, ...others);
      this.grant(queue);
    }
  }

  private grant(queue: readonly Waiting[]): void {
    const [first] = queue;
    if (!first || first.isTold) return;
    void later(() => {
      if (queue[0] !== first || first.isTold) return;
      first.isTold = true;
      first.tab.run(() => queue[0] === first && first.told(true));
    });
  }
}

interface Waiting {
  readonly tab: FakeTab;
  isTold: boolean;
  readonly told: (isHeld: boolean) => void;
}

interface Listening {
  readonly tab: FakeTab;
  readonly name: string;
  readonly receive: (message: unknown) => void;
}

/** One tab: it can be hidden, frozen, and crash. */
export class FakeTab implements Tabs {
  /** Whether the user sees it. */
  isShown = true;
  /** @internal */
  isAlive = true;
  private isFrozen = false;
  private losesMessages = false;
  private readonly missed: (() => void)[] = [];

  constructor(private readonly browser: FakeTabs) {}

  lock(name: string, how: 'wait' | 'steal', told: (isHeld: boolean) => void): () => void {
    return this.browser.lock(this, name, how, told);
  }

  channel(name: string, receive: (message: unknown) => void): TabChannel {
    return this.browser.channel(this, name, receive);
  }

  isVisible(): boolean {
    return this.isShown && !this.isFrozen;
  }

  /** It keeps its locks, and hears nothing until it is thawed; what others say meanwhile comes then, or never. */
  freeze({ losesMessages = false }: { readonly losesMessages?: boolean } = {}): void {
    this.isFrozen = true;
    this.losesMessages = losesMessages;
  }

  /** What it has missed comes now. */
  thaw(): void {
    this.isFrozen = false;
    for (const call of this.missed.splice(0)) void later(() => this.run(call));
  }

  /** It ends without a word; its locks pass on. */
  crash(): void {
    this.isAlive = false;
    this.missed.length = 0;
    this.browser.left(this);
  }

  /** Calls when the tab is not frozen, now or once it is thawed; never, if it ends before. For timers and answers of a test. */
  run(call: () => void): void {
    if (!this.isAlive) return;
    if (this.isFrozen) this.missed.push(call);
    else call();
  }

  /** @internal A message of another tab. */
  hear(call: () => void): void {
    if (!this.isFrozen || !this.losesMessages) this.run(call);
  }
}

function later(call: () => unknown): Promise<void> {
  return Promise.resolve().then(() => void call());
}
