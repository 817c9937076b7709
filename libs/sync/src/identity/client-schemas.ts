import { Inject, Injectable } from '@nestjs/common';
import { SyncError, isObject } from 'nest-offline-sync-protocol';
import { inWords } from '../collections/answers';
import { PortAnswers } from '../collections/port-answers';
import type { ClientSchemaRefusal, SyncOptions } from '../options/sync.options';
import type { SyncSettings } from '../options/settings';
import { SYNC_OPTIONS, SYNC_SETTINGS } from '../options/tokens';
import type { SyncIdentity } from './identity';

const PORT = 'option clientSchema';

/** Asks the app whether it still serves clients with an older data model: they are refused before they can lose data. */
@Injectable()
export class ClientSchemas {
  private readonly answers: PortAnswers;

  constructor(
    @Inject(SYNC_OPTIONS) private readonly options: Pick<SyncOptions, 'clientSchema'>,
    @Inject(SYNC_SETTINGS) { retryDeadlineMs }: SyncSettings,
  ) {
    this.answers = new PortAnswers(retryDeadlineMs);
  }

  /**
   * @param clientSchema as the client has sent it; undefined when it sent none
   * @throws SyncError `client_outdated` by the app's word; `configuration` for an answer that is neither a yes nor a
   *   refusal; `unavailable` when none comes in time; what the app's function throws
   */
  async admit(clientSchema: string | undefined, identity: SyncIdentity): Promise<void> {
    const { clientSchema: ask } = this.options;
    if (!ask) return;
    const answer = await this.answers.valueOf(PORT, ask(clientSchema, identity));
    if (answer === true) return;
    if (isRefusal(answer)) throw outdated(answer);
    this.answers.complain(
      PORT,
      `gave ${inWords(answer)}: return true, or { minimum, message? } for a client that is too old, or a promise of them`,
    );
    throw new SyncError(
      'configuration',
      `SyncModule: ${PORT} gave ${inWords(answer)}. It must return true or { minimum, message? }.`,
      { path: 'clientSchema' },
    );
  }
}

function isRefusal(answer: unknown): answer is ClientSchemaRefusal {
  if (!isObject(answer)) return false;
  const { minimum, message } = answer;
  const isVersion = (typeof minimum === 'string' && minimum !== '') || Number.isSafeInteger(minimum);
  return isVersion && (message === undefined || (typeof message === 'string' && message !== ''));
}

function outdated({ minimum, message }: ClientSchemaRefusal): SyncError {
  return new SyncError(
    'client_outdated',
    message ??
      `This version of the app is too old for the server: it needs client_schema ${minimum} or newer. Keep unsent changes, update the app, and push them then.`,
    { path: 'client_schema', minimum },
  );
}
