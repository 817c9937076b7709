import type { Template } from './options';

/** The template with every `{marker}` replaced. */
export function filled(template: Template, marker: string): Record<string, unknown> {
  return fill(template, marker) as Record<string, unknown>;
}

function fill(value: unknown, marker: string): unknown {
  if (typeof value === 'string') return value.replaceAll('{marker}', marker);
  if (Array.isArray(value)) return value.map((item) => fill(item, marker));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, marker)]));
}
