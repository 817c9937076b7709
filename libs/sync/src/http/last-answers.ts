import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/**
 * Lets a process stop whose clients never let their connections rest. Node's server waits for open connections, and
 * ends only those that nothing is asked on: a client that pulls in a loop over one connection would hold it up for
 * ever. From the moment that the app is told to stop, every answer says `Connection: close`.
 */
@Injectable()
export class LastAnswers implements BeforeApplicationShutdown {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  beforeApplicationShutdown(): void {
    // An application context without a server has no adapter.
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    // Before the framework's own listener: that one may answer at once.
    server?.prependListener('request', (_: IncomingMessage, response: ServerResponse) => {
      response.setHeader('Connection', 'close');
    });
  }
}
