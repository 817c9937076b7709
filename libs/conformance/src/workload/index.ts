export type {
  AppWrite,
  Membership,
  PatchFields,
  Phase,
  Progress,
  Template,
  Token,
  WorkloadCollection,
  WorkloadOptions,
} from './options';
export { outagesOf, type Outage } from './outage';
export { runWorkload, startWorkload, type Workload } from './run';
export { WorkloadError } from './settings';
