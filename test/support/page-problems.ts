import type { Page } from 'playwright-core';

/** What browsers write to the console when nothing answers. */
const NETWORK = /net::ERR_|WebSocket connection to/;

/** What goes wrong in pages while a test works with them: errors of the console, exceptions and rejections that nobody catches. */
export class PageProblems {
  private readonly all: string[] = [];
  /** While a test has cut the network, browsers say so. */
  isCut = false;

  watch(page: Page): Page {
    page.on('pageerror', ({ message }) => this.all.push(message));
    page.on('console', (message) => {
      if (message.type() !== 'error' || (this.isCut && NETWORK.test(message.text()))) return;
      this.all.push(`${message.text()} (${message.location().url})`);
    });
    return page;
  }

  /** Since the last call. */
  take(): string[] {
    return this.all.splice(0);
  }
}
