export { storageContract, type ContractCase } from './storage-contract.ts';
export type { StorageDevice, Undo } from './contract/device.ts';
