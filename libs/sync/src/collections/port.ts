import { SyncError } from '../protocol/errors';

/** A port's one method. */
export type PortMethod = 'authorize' | 'transform' | 'resolve';
type AnyFunction = (...args: never[]) => unknown;

/**
 * What a host gave for a port: a provider's class, known by the port's method on its prototype, or a function.
 *
 * @param where the option, for the message
 * @throws SyncError `configuration` when it is neither
 */
export function portKind(port: unknown, method: PortMethod, where: string): 'class' | 'function' {
  if (typeof port !== 'function')
    throw refused(where, `must be a provider's class with a method ${method}, or a function`);
  const prototype: unknown = (port as AnyFunction & { readonly prototype?: unknown }).prototype;
  const given: unknown = (prototype as Partial<Record<PortMethod, unknown>> | null | undefined)?.[method];
  if (typeof given === 'function') return 'class';
  if (given !== undefined || /^class\b/.test(Function.prototype.toString.call(port)))
    throw refused(
      where,
      `is the class ${port.name}, which has no method ${method}; write it as a method, not as a property with a function`,
    );
  return 'function';
}

function refused(where: string, message: string): SyncError {
  return new SyncError('configuration', `SyncModule: ${where} ${message}.`, { path: where });
}
