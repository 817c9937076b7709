import { textFrames, type TextMessage } from './text-frames';

/** Runs that are kept at a time: the subscribers of a scope may have asked for several selections of it. */
const KEPT = 8;

/**
 * The frames of runs of entries, made once for all sockets that get the same run: those that stand at the same place
 * get the same entries, one socket after the other, in one turn of the process. Nothing is kept beyond the turn.
 */
export class SharedFrames {
  private kept: { readonly run: readonly TextMessage[]; readonly frames: Buffer }[] = [];

  /** @param afterTurn runs a task when the turn is over: setImmediate */
  constructor(private readonly afterTurn: (task: () => void) => void) {}

  /** The bytes are shared: never write into them. */
  of(run: readonly TextMessage[]): Buffer {
    const kept = this.kept.find((each) => sameRun(each.run, run));
    if (kept) return kept.frames;
    const frames = textFrames(run);
    if (this.kept.length === 0) this.afterTurn(() => (this.kept = []));
    if (this.kept.length === KEPT) this.kept.shift();
    this.kept.push({ run, frames });
    return frames;
  }
}

/** The same entries, not equal ones: subscribers share the objects. */
function sameRun(a: readonly TextMessage[], b: readonly TextMessage[]): boolean {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}
