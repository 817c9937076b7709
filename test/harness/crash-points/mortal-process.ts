import type { ConnectOptions } from 'mongoose';
import type { PushResult, SyncCollectionOptions } from 'nest-offline-sync';
import type { Case } from './case';
import { CaseEngine } from './case-engine';
import { CrashingProxy } from './crashing-proxy';
import { EngineProcess } from './engine-process';

const CLIENT = {
  // A case that has stopped keeps its connection.
  maxPoolSize: 0,
  // After a cut the driver looks for the server at once, and else with as few connections as can be.
  minHeartbeatFrequencyMS: 10,
  serverMonitoringMode: 'poll',
  serverSelectionTimeoutMS: 2000,
  // A dead process waits forever.
  connectTimeoutMS: 0,
} as ConnectOptions;

/** A process that can be made to die: its only way to the database is its own proxy. */
export class MortalProcess {
  private readonly cases: CaseEngine[] = [];

  private constructor(
    private readonly engine: EngineProcess,
    readonly proxy: CrashingProxy,
  ) {}

  static async start(
    port: number,
    database: string,
    collections: readonly SyncCollectionOptions[],
  ): Promise<MortalProcess> {
    const proxy = await CrashingProxy.before(port);
    const uri = `mongodb://127.0.0.1:${String(proxy.port)}/${database}?directConnection=true`;
    return new MortalProcess(await EngineProcess.start(uri, collections, CLIENT), proxy);
  }

  /** What the process does when the case's requests come, up to the last command that they cause. */
  async run(on: Case): Promise<PushResult[][]> {
    if (!on.kind.write) {
      const engine = new CaseEngine(this.engine);
      this.cases.push(engine);
      return engine.push(on);
    }
    on.allSent();
    await on.kind.write(on, this.engine);
    return [];
  }

  /** Ends what a dead process still waits for. */
  async close(): Promise<void> {
    await Promise.all(this.cases.map((engine) => engine.stop()));
    await this.proxy.close();
    await this.engine.close();
  }
}
