import type { Disposition } from '../log/records';
import {
  answerTo,
  conflictBody,
  disposition,
  MUTATION_ID_REUSED,
  rejected,
  rolledBack,
  type Decided,
} from './answers';
import { ChangeDecisions } from './change-decisions';
import type { Ledger } from './ledger';
import {
  receiptText,
  type BaseNeed,
  type PlanClock,
  type PlannedAnswer,
  type PlanRequest,
  type PlanSnapshot,
  type ReadyChange,
  type RequestChange,
  type RequestOutcome,
} from './plan';

/** One request's way through the planner. Works on a layer of its own, which only counts when the request stands. */
export class RequestPlanning {
  private readonly decisions: ChangeDecisions;
  /** Some mutation was decided without leaving a receipt. */
  leavesOut = false;
  /** Answers that go back to what this request itself did: they fall with it. */
  private readonly repeats = new Set<PlannedAnswer>();

  constructor(
    readonly layer: Ledger,
    snapshot: PlanSnapshot,
    private readonly request: PlanRequest,
    requestIndex: number,
    private readonly clock: PlanClock,
    missing: Map<string, BaseNeed>,
  ) {
    this.decisions = new ChangeDecisions(layer, snapshot, request, requestIndex, clock, missing);
  }

  run(): { outcome: RequestOutcome; stands: boolean } {
    const answers = this.request.changes.map((entry, index) => this.answer(entry, index));
    const { needs } = this.decisions;
    if (needs.length > 0) return { outcome: { kind: 'unresolved', needs }, stands: false };
    const fails = this.request.atomic === 'batch' && answers.some((answer) => answer.status === 'rejected');
    if (!fails) return { outcome: { kind: 'answered', answers }, stands: true };
    const undone = (answer: PlannedAnswer): boolean =>
      answer.status !== 'rejected' && (!answer.replayed || this.repeats.has(answer));
    return {
      outcome: {
        kind: 'answered',
        answers: answers.map((answer) => (undone(answer) ? rolledBack(answer) : answer)),
      },
      stands: false,
    };
  }

  /** Replays, or decides and keeps a receipt. */
  private answer(entry: RequestChange, index: number): PlannedAnswer {
    const mutation = entry.kind === 'ready' ? entry.change.mutation : entry.mutation;
    const key = mutation && receiptText(this.request.scopeId, this.request.clientId, mutation.id);
    const receipt = key === undefined ? undefined : this.layer.receipt(key);
    if (key !== undefined && receipt?.hash === mutation?.hash && receipt) {
      const answer = answerTo(entry, this.replay(receipt, entry), true);
      if (this.layer.holdsReceipt(key)) this.repeats.add(answer);
      return answer;
    }
    if (entry.kind === 'refused') {
      if (mutation) this.leavesOut = true;
      return answerTo(entry, rejected(entry.rejection), false);
    }
    if (receipt) return answerTo(entry, rejected(MUTATION_ID_REUSED), false);
    const decided = this.decisions.decide(entry.change, index);
    if (key !== undefined) this.keepReceipt(key, entry.change, decided);
    return answerTo(entry, decided, false);
  }

  private replay(receipt: Disposition, entry: RequestChange): Decided {
    // Refused by now (a right was withdrawn, a rule is new), but it has taken effect: the first answer stands.
    if (entry.kind === 'refused') return disposition(receipt);
    const { change } = entry;
    const current = this.layer.document(change.key);
    const own = current !== 'foreign' && current?.scopeId === this.request.scopeId ? current : undefined;
    if (receipt.new_version !== null)
      this.decisions.lineage.advance(
        change,
        receipt.new_version,
        receipt.status === 'accepted' ? 'as sent' : own?.version === receipt.new_version ? own : undefined,
      );
    // The first answer's document, while it is still the document.
    const about = receipt.new_version ?? receipt.server_version;
    const shown = receipt.server_version !== null && own !== undefined && own.version === about;
    return { ...disposition(receipt), ...(shown ? { conflict: conflictBody(own, change.rules.form) } : {}) };
  }

  private keepReceipt(key: string, change: ReadyChange, decided: Decided): void {
    if (!change.mutation) return;
    const { status, new_version, server_version, code, error } = decided;
    this.layer.receipts.set(key, {
      _id: { scope: this.request.scopeId, client: this.request.clientId, mutation: change.mutation.id },
      hash: change.mutation.hash,
      doc_id: change.wireId,
      status,
      new_version,
      server_version,
      code,
      error,
      at: new Date(this.clock.wallMs),
    });
  }
}
