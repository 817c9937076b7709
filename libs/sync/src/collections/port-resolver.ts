import { Injectable, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SyncError } from 'nest-offline-sync-protocol';
import type { Port } from '../options/sync.options';
import { portKind, type PortMethod } from './ports';

/** Turns what a host gave for a port into a plain function. Works from `onApplicationBootstrap` on. */
@Injectable()
export class PortResolver {
  constructor(private readonly moduleRef: ModuleRef) {}

  /**
   * A function stays as it is. A class is taken from the app's providers, wherever in the app they are, else made by
   * DI with the global providers.
   *
   * @param where the option, for messages
   * @throws SyncError `configuration` when the class has no such method, is request-scoped, or cannot be made
   */
  async resolve<M extends PortMethod, F extends (...args: never[]) => unknown>(
    port: Port<Record<M, F>, F>,
    method: M,
    where: string,
  ): Promise<F> {
    if (portKind(port, method, where) === 'function') return port as F;
    const instance = await this.instance(port as Type<Record<M, F>>, where);
    // What the app provides instead of the class (`useValue`, `useFactory`) may be anything.
    const given: unknown = (instance as Partial<Record<M, F>> | null | undefined)?.[method];
    if (typeof given !== 'function')
      throw new SyncError(
        'configuration',
        `SyncModule: ${where}: what the app provides as ${(port as Type).name} has no method ${method}.`,
        { path: where },
      );
    return ((...args: Parameters<F>) => instance[method](...args)) as F;
  }

  /**
   * The same for a port of several methods: an object with them, or a class. The methods are called on what is returned.
   *
   * @param methods those that must be there
   * @throws SyncError `configuration` when one of them is missing, and as {@link resolve}
   */
  async resolveObject<T extends object>(
    port: T | Type<T>,
    methods: readonly (keyof T & string)[],
    where: string,
  ): Promise<T> {
    const isClass = typeof port === 'function';
    const declared: unknown = isClass ? port.prototype : port;
    const missingIn = (found: unknown): string | undefined =>
      methods.find((method) => typeof (found as Partial<T> | null | undefined)?.[method] !== 'function');
    const given = isClass && missingIn(declared) === undefined ? await this.instance(port, where) : declared;
    const missing = missingIn(given);
    if (missing === undefined) return given as T;
    throw new SyncError(
      'configuration',
      `SyncModule: ${where}: there is no method ${missing}. Give an object with the methods ${methods.join(' and ')}, or a provider's class that has them as methods.`,
      { path: where },
    );
  }

  private async instance<T>(type: Type<T>, where: string): Promise<T> {
    try {
      return this.moduleRef.get<T>(type, { strict: false });
    } catch (error) {
      if (kindOf(error) === 'InvalidClassScopeException')
        throw new SyncError(
          'configuration',
          `SyncModule: ${where}: ${type.name} is request-scoped or transient, but serves all requests. Make it a singleton; the identity is among its arguments.`,
          { path: where, cause: error },
        );
      if (kindOf(error) !== 'UnknownElementException') throw error;
    }
    return this.create(type, where);
  }

  private async create<T>(type: Type<T>, where: string): Promise<T> {
    try {
      return await this.moduleRef.create(type);
    } catch (cause) {
      throw new SyncError(
        'configuration',
        `SyncModule: ${where}: ${type.name} cannot be made. List it in the providers of a module that has what its constructor needs.`,
        { path: where, cause },
      );
    }
  }
}

/** Nest does not export these exceptions. */
function kindOf(error: unknown): string | undefined {
  return error instanceof Error ? error.constructor.name : undefined;
}
