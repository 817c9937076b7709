import { INVARIANTS, type Finding, type Verdict } from '../verdict';
import { renderEvent } from './render-event';

export interface RenderOptions {
  /** ANSI colours; default: none. */
  readonly colour?: boolean;
  /** How many violations of an invariant are shown with their history; default: 3, the shortest. */
  readonly shown?: number;
}

/** Rows of one event beyond this many are summed up. */
const MAX_LINES = 40;

/**
 * The verdict as text: a line for each invariant, then for each violated one what is wrong, the shortest history that
 * shows it in the order of time, and how to run it again.
 */
export function renderVerdict(verdict: Verdict, options: RenderOptions = {}): string {
  const paint = painter(options.colour ?? false);
  const violated = verdict.findings.filter((finding) => finding.violated > 0);
  const lines = verdict.findings.map((finding) => summaryOf(finding, paint));
  for (const finding of violated) lines.push('', ...detailsOf(finding, options.shown ?? 3, paint));
  lines.push('', conclusion(verdict, violated, paint), `Seed: ${verdict.seed}`);
  if (verdict.command !== null) lines.push(`Again: ${verdict.command}`);
  return `${lines.join('\n')}\n`;
}

function summaryOf(finding: Finding, paint: Painter): string {
  const name = `${String(finding.invariant).padStart(2)} ${INVARIANTS[finding.invariant].padEnd(24)}`;
  const unchecked = finding.unchecked.map((sentence) => `\n${' '.repeat(28)}${sentence}`).join('');
  if (finding.violated > 0) {
    return `${name} ${paint.bad(`VIOLATED ${finding.violated}×`)} (${facts(finding.checks)})${unchecked}`;
  }
  if (finding.checks === 0) return `${name} ${paint.dim('not exercised')}${unchecked}`;
  return `${name} ${paint.good('held')} (${facts(finding.checks)})${unchecked}`;
}

function detailsOf(finding: Finding, shown: number, paint: Painter): string[] {
  const lines = [paint.bad(`Invariant ${finding.invariant}, ${INVARIANTS[finding.invariant]}`)];
  for (const violation of finding.violations.slice(0, shown)) {
    const history = violation.history.flatMap(renderEvent);
    lines.push(`  ${violation.message}`);
    lines.push(...history.slice(0, MAX_LINES).map((line) => `      ${line}`));
    if (history.length > MAX_LINES) lines.push(`      … and ${history.length - MAX_LINES} more lines`);
  }
  const rest = finding.violated - Math.min(shown, finding.violations.length);
  if (rest > 0) lines.push(`  … and ${rest} more like this.`);
  return lines;
}

function conclusion(verdict: Verdict, violated: readonly Finding[], paint: Painter): string {
  const exercised = verdict.findings.filter(({ checks }) => checks > 0).length;
  if (verdict.held) {
    const all = exercised === verdict.findings.length;
    return all
      ? paint.good('Every invariant held.')
      : `Nothing was violated; ${exercised} of ${verdict.findings.length} invariants were exercised.`;
  }
  const numbers = violated.map(({ invariant }) => String(invariant)).join(', ');
  return paint.bad(`Violated: ${numbers}.`);
}

function facts(checks: number): string {
  return `${checks.toLocaleString('en')} ${checks === 1 ? 'fact' : 'facts'} compared`;
}

interface Painter {
  bad(text: string): string;
  good(text: string): string;
  dim(text: string): string;
}

function painter(colour: boolean): Painter {
  const paint = (code: number) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bad: paint(31), good: paint(32), dim: paint(2) };
}
