import type { Type } from '@nestjs/common';
import { dataPath, type JsonObject, type Rejection } from 'nest-offline-sync-protocol';
import { loadDtoPackages } from '../options/optional-peers';
import { judgedData } from './dto-data';
import { problemList } from './validation-message';

/** The data to go on with, as it was judged, or why not. */
export type DtoResult =
  { readonly ok: true; readonly data: JsonObject } | { readonly ok: false; readonly rejection: Rejection };
/** With `changed`, the whole is judged; but that the class does not know another field is no matter. */
export type DtoCheck = (data: JsonObject, changed?: ReadonlySet<string>) => Promise<DtoResult>;

/** A ValidationError of class-validator, which is an optional peer: no type of it shows. */
interface DtoProblem {
  readonly property: string;
  readonly constraints?: Readonly<Record<string, string>>;
  readonly children?: readonly DtoProblem[];
}

/**
 * Makes the check of a class-validator class. What it has judged is what goes on: its transformers count, and types
 * that JSON does not have go back to what was sent, for the schema to cast. With `strip`, fields that the class does not
 * know are left out.
 *
 * @throws SyncError `configuration` when the two packages are not installed
 */
export function makeDtoCheck(
  collection: string,
  dto: Type<object>,
  unknownFields: 'reject' | 'strip',
): DtoCheck {
  const { plainToInstance, validate } = loadDtoPackages(collection);
  const options = {
    whitelist: true,
    forbidNonWhitelisted: unknownFields === 'reject',
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
  };
  const fresh = plainToInstance(dto, {});
  return async (data, changed) => {
    const instance = plainToInstance(dto, data);
    const found: DtoProblem[] = await validate(instance, options);
    const problems = found.filter(
      (problem) => !changed || changed.has(problem.property) || !isOfUnknown(problem),
    );
    if (problems.length > 0) return { ok: false, rejection: dtoRejection(problems) };
    return { ok: true, data: judgedData(data, instance, fresh) };
  };
}

interface Problem {
  readonly path: readonly (string | number)[];
  readonly constraint: string;
  readonly text: string;
}

const NOT_WHITELISTED = 'whitelistValidation';

function dtoRejection(found: readonly DtoProblem[]): Rejection {
  const problems = found.flatMap((problem) => flatten(problem, []));
  const unknown = problems.find(({ constraint }) => constraint === NOT_WHITELISTED);
  if (unknown)
    return {
      code: 'unknown_field',
      message: `${dataPath(unknown.path)} is not a field of this collection: remove it, or add it to the DTO.`,
    };
  return {
    code: 'validation_failed',
    message: problemList(problems.map(({ path, text }) => `${dataPath(path)}: ${text}`)),
  };
}

function isOfUnknown(problem: DtoProblem): boolean {
  return flatten(problem, []).every(({ constraint }) => constraint === NOT_WHITELISTED);
}

function flatten(problem: DtoProblem, above: readonly (string | number)[]): Problem[] {
  const step = /^\d{1,9}$/.test(problem.property) ? Number(problem.property) : problem.property;
  const path = [...above, step];
  const own = Object.entries(problem.constraints ?? {}).map(([constraint, text]) => ({
    path,
    constraint,
    text,
  }));
  return [...own, ...(problem.children ?? []).flatMap((child) => flatten(child, path))];
}
