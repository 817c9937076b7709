import { OPTION_TABLE, type OptionKind, type OptionPath, type OptionRow } from 'nest-offline-sync';

/** How the text of a variable is read. */
export type Kind = 'text' | 'list' | 'flag' | 'whole' | 'number';

/**
 * The demo has one Mongoose connection, the unnamed one, and injects SyncService in its feature modules; `jwt.secret`
 * comes from JWT_SECRET.
 */
type NotOffered = 'connectionName' | 'isGlobal' | 'jwt.secret';
const NOT_OFFERED: Readonly<Record<NotOffered, true>> = {
  connectionName: true,
  isGlobal: true,
  'jwt.secret': true,
};

/** By how the library checks an option; no variable can hold code. */
const READ_AS = {
  flag: 'flag',
  whole: 'whole',
  number: 'number',
  list: 'list',
  text: 'text',
  name: 'text',
  path: 'text',
  nodeId: 'text',
  choice: 'text',
  code: undefined,
} as const satisfies Record<OptionKind, Kind | undefined>;

type Table = typeof OPTION_TABLE;
/** Every option of SyncModule that is a plain value, by its dotted path. */
type OfferedPath = Exclude<
  { [P in OptionPath]: Table[P]['kind'] extends 'code' ? never : P }[OptionPath],
  NotOffered
>;

type UpperSnake<S extends string> = S extends `${infer Letter}${infer Rest}`
  ? `${Letter extends Lowercase<Letter> ? Uppercase<Letter> : `_${Letter}`}${UpperSnake<Rest>}`
  : '';
type VariableName<P extends string> = P extends 'hlcNodeId'
  ? 'HLC_NODE_ID'
  : P extends `jwt.${infer N}`
    ? `SYNC_JWT_${UpperSnake<N>}`
    : P extends `limits.${infer N}`
      ? `SYNC_${UpperSnake<N>}`
      : `SYNC_${UpperSnake<P>}`;

type ValueOf = { text: string; list: string[]; flag: boolean; whole: number; number: number };
/** The variables of the module's options, read. */
export type SyncVariables = {
  readonly [P in OfferedPath as VariableName<P>]?: ValueOf[(typeof READ_AS)[Table[P]['kind']] & Kind];
};
export type SyncVariableName = keyof SyncVariables;

export interface SyncVariable {
  readonly name: SyncVariableName;
  readonly option: OptionPath;
  readonly kind: Kind;
  readonly row: OptionRow;
}

/**
 * The module's options as environment variables, from the module's own table: values are checked by this, the options
 * are made from it, `--help` prints it.
 */
export const SYNC_VARIABLES: readonly SyncVariable[] = Object.entries<OptionRow>(OPTION_TABLE).flatMap(
  ([option, row]) => {
    const kind = READ_AS[row.kind];
    if (kind === undefined || option in NOT_OFFERED) return [];
    return [{ name: variableName(option) as SyncVariableName, option: option as OptionPath, kind, row }];
  },
);

/** `limits.maxDepth` is SYNC_MAX_DEPTH. The library itself reads HLC_NODE_ID too. */
function variableName(option: string): string {
  if (option === 'hlcNodeId') return 'HLC_NODE_ID';
  const words = option
    .replace(/^limits\./, '')
    .replace('.', '_')
    .replace(/[A-Z]/g, (letter) => `_${letter}`);
  return `SYNC_${words.toUpperCase()}`;
}
