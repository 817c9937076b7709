export type * from './history';
export * from './verdict';
export { judge } from './oracle/judge';
export { renderVerdict, type RenderOptions } from './report/render-verdict';
export * from './workload';
export { checkDeployment, type Check, type CheckOptions } from './check-deployment';
