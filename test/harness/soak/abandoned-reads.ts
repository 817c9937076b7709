import { get } from 'node:http';
import { once } from 'node:events';
import { Device } from '../cluster/client';

const DOCUMENTS = 20_000;
const PAGE = 1000;
/** Bytes of the response: enough that the database has a cursor open, far from all of it. */
const READ_BYTES = 200_000;

/** A tenant with so much data that a full resync takes a while: each one is abandoned in the middle. */
export class AbandonedReads {
  private constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  static async seed(url: string): Promise<AbandonedReads> {
    const device = await Device.open(url, 'abandoned', 'soak');
    for (let from = 0; from < DOCUMENTS; from += PAGE) {
      const { status } = await device.push(
        'seed',
        Array.from({ length: PAGE }, (_, k) => ({
          collection: 'notes',
          operation: 'upsert',
          doc_id: `seed-${String(from + k)}`,
          data: { text: 'x'.repeat(200) },
        })),
      );
      if (status !== 200) throw new Error(`The seed was answered with ${String(status)}.`);
    }
    return new AbandonedReads(url, device.token);
  }

  /** Opens a full resync of everything and goes away while it comes. */
  async leaveOne(): Promise<void> {
    const request = get(`${this.url}/sync/full?limit=0`, {
      headers: { authorization: `Bearer ${this.token}` },
      agent: false,
    });
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    let bytes = 0;
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > READ_BYTES) break;
    }
    request.destroy();
  }
}
