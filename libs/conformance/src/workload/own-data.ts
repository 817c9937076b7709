import type { FullRow } from '../history';
import type { Device } from '../wire/device';
import { isOwnId } from '../wire/marker';
import { WorkloadError } from './settings';

export const PAGE = 200;

/** @throws WorkloadError when the scope cannot be read */
export async function holdsOthersData(device: Device): Promise<boolean> {
  for await (const rows of pagesOf(device))
    if (rows.some(({ deleted, docId }) => !deleted && !isOwnId(docId))) return true;
  return false;
}

/** @throws WorkloadError when it cannot be read */
export async function* pagesOf(device: Device): AsyncGenerator<readonly FullRow[]> {
  let cursor: string | null = null;
  do {
    const { answer, rows, next }: Awaited<ReturnType<Device['fullPage']>> = await device.fullPage(
      PAGE,
      cursor,
    );
    if (rows === null)
      throw new WorkloadError(
        answer === null
          ? 'No answer from the server. Is it up, and is the URL right?'
          : `GET /${device.prefix}/full answers ${String(answer.status)} ${answer.code ?? ''}. ` +
              'The check needs a valid token, a full resync that is allowed, and pages that end with their end line; is the URL right?',
      );
    yield rows;
    cursor = next;
  } while (cursor !== null);
}
