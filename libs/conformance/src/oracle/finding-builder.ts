import type { HistoryEvent } from '../history';
import type { Finding, InvariantNumber, Violation } from '../verdict';
import { timeOf, weight } from './evidence';

const KEPT = 20;
/** This many are written out, to choose the shortest from; the others are only counted. */
const WRITTEN_OUT = 400;

/** Gathers what one invariant's judge finds. */
export class FindingBuilder {
  #checks = 0;
  #violated = 0;
  readonly #violations: Violation[] = [];
  readonly #unchecked = new Set<string>();

  constructor(private readonly invariant: InvariantNumber) {}

  /** Facts that were compared, with any result. */
  checked(facts = 1): void {
    this.#checks += facts;
  }

  /**
   * One violation. `message` and `history` (the events that show it, cut down to the rows that matter) are called only
   * while violations are written out.
   */
  violated(message: () => string, history: () => readonly (HistoryEvent | null)[]): void {
    this.#violated += 1;
    if (this.#violations.length >= WRITTEN_OUT) return;
    const events = history().filter((event) => event !== null);
    events.sort((a, b) => timeOf(a) - timeOf(b));
    this.#violations.push({ invariant: this.invariant, message: message(), history: events });
  }

  /** Says what this history cannot show. */
  unchecked(sentence: string): void {
    this.#unchecked.add(sentence);
  }

  build(): Finding {
    const sized = this.#violations.map((violation) => ({
      violation,
      size: violation.history.reduce((sum, event) => sum + weight(event), 0),
    }));
    sized.sort((a, b) => a.size - b.size);
    return {
      invariant: this.invariant,
      checks: this.#checks,
      violated: this.#violated,
      violations: sized.slice(0, KEPT).map(({ violation }) => violation),
      unchecked: [...this.#unchecked],
    };
  }
}
