export type * from './history';
export * from './verdict';
