export type * from './history';
export * from './verdict';
export { judge } from './oracle/judge';
export { renderVerdict, type RenderOptions } from './report/render-verdict';
