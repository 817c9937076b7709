export type * from './history';
export * from './verdict';
export { judge } from './oracle/judge';
