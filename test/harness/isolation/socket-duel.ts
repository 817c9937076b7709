import type { HttpStep } from './attacks';
import { same, type Bob, type Duel } from './duel';
import { fillIn, saidBy, type Lexicon } from './lexicon';
import { RawSocket, type ServerMessage } from './raw-socket';
import type { FrameStep, SocketStep } from './socket-attacks';
import { until } from '../../support/until';

const OWN = ['notes', 'shared', 'typed', 'drafts'] as const;

/**
 * B's sockets in both worlds of a duel: opened, subscribed and broken side by side, while A and B push. What a socket
 * is sent is B's own log, each entry as in pull, and the rest is the same in both worlds.
 *
 * @returns how many sockets and frames were tried
 */
export async function runSockets(duel: Duel, steps: readonly SocketStep[]): Promise<{ frames: number }> {
  const bob = duel.newBob();
  const open: RawSocket[] = [];
  try {
    await push(duel, bob, 'before');
    // A tenant that is as far as B: an entry of it would fit into B's stream by its number.
    const neighbour = duel.newNeighbour();
    await neighbour(OWN.length);
    for (const { target, headers, frames } of steps)
      bob.said += saidBy([target, ...headers, ...frames.map(({ text }) => text)].join('\n'), bob.lexicons[0]);
    const pairs = steps.map((step) => {
      const pair = duel.worlds.map(({ port }, at) => new RawSocket(port, upgrade(step, bob.lexicons[at]!)));
      open.push(...pair);
      return { step, pair };
    });
    await Promise.all(
      pairs.flatMap(({ step, pair }) =>
        pair.map((socket, at) => talk(socket, step, (text) => fillIn(text, bob.lexicons[at]!))),
      ),
    );
    await neighbour(1);
    await duel.alicePushes('notes', 2);
    await duel.alicePushes('typed', 1);
    await push(duel, bob, 'after');
    const heads = bob.lexicons.map(({ learnt }) => learnt.versions.toSorted().at(-1)!);
    await Promise.all(
      pairs.flatMap(({ step, pair }) => pair.map((socket, at) => settled(socket, step, heads[at]!))),
    );
    const logs = await Promise.all(duel.worlds.map(({ port }, at) => ownLog(port, bob.lexicons[at]!)));
    for (const { step, pair } of pairs) {
      const [real, control] = pair as [RawSocket, RawSocket];
      duel.nothingOfAlice(bob, real.bytes);
      pair.forEach((socket, at) => onlyOwn(socket, logs[at]!));
      // A stall of the machine may cut one of them off for a missing pong: nothing can be compared then.
      const cut = (real.closed === 'dropped') !== (control.closed === 'dropped');
      if (!step.atOnce && !cut) {
        const most = comparable(pair, step);
        same(outline(real, most), outline(control, most));
      }
    }
    await duel.aliceUnchanged();
    await duel.nothingInLogs();
    return { frames: steps.reduce((sum, { frames }) => sum + frames.length, 0) };
  } finally {
    for (const socket of open) socket.end();
    await duel.forget();
  }
}

/**
 * B's pushes over one socket in each world, each sent when the one before was answered: the answers are the same in both,
 * and nothing of A is in them or changed by them.
 *
 * @returns how many were tried
 */
export async function runSocketPushes(duel: Duel, messages: readonly string[]): Promise<number> {
  const bob = duel.newBob();
  const headers = ['Authorization: ⟦token.good⟧'];
  const open = (): RawSocket[] =>
    duel.worlds.map(({ port }, at) => {
      const lexicon = bob.lexicons[at]!;
      return new RawSocket(port, upgrade({ target: '/sync/stream', headers }, lexicon));
    });
  let pair = open();
  try {
    for (const text of messages) {
      if (pair.some(({ closed }) => closed !== undefined)) {
        for (const socket of pair) socket.end();
        pair = open();
      }
      duel.tick();
      bob.said += saidBy(text, bob.lexicons[0]);
      const heard = await Promise.all(
        pair.map(async (socket, at) => {
          await until(() => socket.isOpen || socket.closed !== undefined);
          const before = socket.texts.length;
          const answers = (): string[] =>
            socket.texts
              .slice(before)
              .filter((answer) => (JSON.parse(answer) as ServerMessage).type !== 'ping');
          socket.send({ opcode: 1, payload: fillIn(text, bob.lexicons[at]!) });
          await until(() => answers().length > 0 || socket.closed !== undefined);
          for (const [, version] of answers()
            .join()
            .matchAll(/"new_version":"([^"]+)"/g))
            bob.lexicons[at]!.learnt.versions.unshift(version!);
          return answers().join('\n');
        }),
      );
      const [real, control] = heard as [string, string];
      duel.nothingOfAlice(bob, pair[0]!.bytes);
      if (/"code":"(internal|configuration)"/.test(real))
        throw new Error(`The server failed: ${real.slice(0, 500)}`);
      same(real, control);
      await duel.aliceUnchanged();
    }
    await duel.nothingInLogs();
    return messages.length;
  } finally {
    for (const socket of pair) socket.end();
    await duel.forget();
  }
}

function upgrade({ target, headers }: Pick<SocketStep, 'target' | 'headers'>, lexicon: Lexicon): string {
  const lines = [
    `GET ${target} HTTP/1.1`,
    'Host: app.example',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    // Always the same, and so is the answer to it.
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  ];
  return `${fillIn(lines.join('\r\n'), lexicon)}\r\n\r\n`;
}

async function talk(
  socket: RawSocket,
  { frames, atOnce }: SocketStep,
  fill: (text: string) => string,
): Promise<void> {
  await until(() => socket.isOpen || socket.closed !== undefined);
  for (const frame of frames) {
    const before = socket.texts.length;
    socket.send(encoded(frame, fill));
    // Heard when something came back, a ping at the latest.
    if (!atOnce) await until(() => socket.closed !== undefined || socket.texts.length > before);
  }
}

function encoded({ text, times, ...frame }: FrameStep, fill: (text: string) => string) {
  return { ...frame, payload: fill(text).repeat(times) };
}

/** Valid tokens of scopes that are neither A's nor B's: nobody has ever written there. */
const ELSEWHERE = /⟦(token|jwt)\.(number|space-a|upper-a)⟧/;

/** Closed, or all of the log up to `head` sent, or without a subscription (or at an empty log) for a while. */
async function settled(socket: RawSocket, step: SocketStep, head: string): Promise<void> {
  const before = pings(socket).length;
  const elsewhere = ELSEWHERE.test(JSON.stringify(step));
  await until(() => {
    const since = pings(socket).slice(before);
    const last = since.at(-1);
    return (
      socket.closed !== undefined ||
      (last?.last_seq ?? '') >= head ||
      (since.length > 1 && (last?.last_seq === undefined || (elsewhere && last.seq === 0)))
    );
  });
}

function messages(socket: RawSocket): ServerMessage[] {
  return socket.texts.map((text) => JSON.parse(text) as ServerMessage);
}

function pings(socket: RawSocket): ServerMessage[] {
  return messages(socket).filter(({ type }) => type === 'ping');
}

/** @throws Error for an entry that is not of B's own log */
function onlyOwn(socket: RawSocket, log: ReadonlySet<string>): void {
  for (const text of socket.texts)
    if (isEntry(JSON.parse(text) as ServerMessage) && !log.has(text))
      throw new Error(`A socket of B was sent what is not in its log: ${text.slice(0, 1_000)}`);
}

/**
 * How many entries both sockets must have been sent alike. With a second subscription the first may have been cut off anywhere;
 * a socket that was closed had got as far as it had got.
 */
function comparable(pair: readonly RawSocket[], { frames }: SocketStep): number {
  const subscriptions = frames.filter(
    ({ text }) => text.includes('subscribe') || text.includes('"token"'),
  ).length;
  if (subscriptions > 1) return 0;
  const isCut = pair.some(({ closed }) => closed !== undefined);
  return isCut ? Math.min(...pair.map((socket) => messages(socket).filter(isEntry).length)) : Infinity;
}

/** All that does not depend on time. */
function outline(socket: RawSocket, entries: number): string {
  let seen = 0;
  const shown = socket.texts.filter((text) => {
    const message = JSON.parse(text) as ServerMessage;
    if (isEntry(message)) return (seen += 1) <= entries;
    // What says whose entries follow comes when they do.
    return message.type !== 'ping' && !(entries === 0 && message.type === 'scope');
  });
  return [socket.handshake, ...shown, socket.closed ?? 'open'].join('\n');
}

function isEntry({ type }: ServerMessage): boolean {
  return type === undefined;
}

async function push(duel: Duel, bob: Bob, when: string): Promise<void> {
  const changes = OWN.map((collection) => ({
    collection,
    operation: 'upsert',
    doc_id: `own-${when}`,
    data: collection === 'typed' ? { name: when } : { title: when },
  }));
  const step: HttpStep = {
    kind: 'http',
    method: 'POST',
    target: '/sync/push',
    headers: ['Authorization: ⟦token.good⟧', 'Content-Type: application/json'],
    body: JSON.stringify({ client_id: 'device', changes }),
    encoding: 'plain',
    alongside: false,
  };
  await duel.send(bob, step);
}

/** The texts of B's entries as pull gives them: the page is made of them, so no re-encoding can hide a difference. */
async function ownLog(port: number, { tokens }: Lexicon): Promise<Set<string>> {
  const response = await fetch(`http://127.0.0.1:${String(port)}/sync/pull?limit=1000`, {
    headers: { authorization: tokens.good },
  });
  const { changes } = (await response.json()) as { changes: object[] };
  return new Set(changes.map((change) => JSON.stringify(change)));
}
