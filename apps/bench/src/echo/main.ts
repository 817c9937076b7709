import type { AddressInfo } from 'node:net';
import { Body, Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { readyLine } from '../processes/child';
import { endWithBenchmark } from '../processes/lifetime';
import type { NoteChange } from '../workload/notes';
import { stamp } from '../workload/stamps';

const VERSION = stamp(Date.UTC(2026, 0, 1), 0);

/** What Nest on express alone does with the same requests: parse, route, send an answer of the same size. No token, no database. */
@Controller('sync')
class EchoController {
  @Post('push')
  @HttpCode(200)
  push(@Body() { changes }: { changes: NoteChange[] }): object {
    return {
      results: changes.map(({ doc_id, mutation_id }) => ({
        doc_id,
        status: 'accepted',
        new_version: VERSION,
        server_version: null,
        code: null,
        error: null,
        mutation_id,
      })),
    };
  }

  @Get('pull')
  pull(): object {
    return { changes: [], last_seq: VERSION, seq: 1, has_more: false };
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(EchoModule, { logger: ['error', 'warn'] });
  app.useBodyParser('json', { limit: '8mb' });
  await app.listen(0, '127.0.0.1');
  endWithBenchmark(() => app.close());
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(readyLine({ port, pids: [process.pid] }));
}

void main();
