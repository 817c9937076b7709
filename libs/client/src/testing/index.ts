export { storageContract, type ContractCase } from './storage-contract.ts';
export type { StorageDevice, Undo } from './contract/device.ts';
export { CrashingStorage } from './crashing-storage.ts';
export { FakeServer, type ReceivedRequest } from './fake-server.ts';
export type { FakeAccessLevel } from './fake-access.ts';
export type { FakeServerOptions } from './fake-info.ts';
export type { FakeConflict, PushedChange, Refusal } from './fake-scope.ts';
export { FaultyNetwork, type Fate } from './faulty-network.ts';
export { settle, VirtualTime } from './virtual-time.ts';
