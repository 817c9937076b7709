import 'reflect-metadata';
import { following, startCapturing } from './captured-items';

/** A process that captures, says so, and goes on until it is killed. */
async function capture(uri: string): Promise<void> {
  await following(await startCapturing(uri));
  console.log('following');
}

void capture(process.argv[2] ?? '');
