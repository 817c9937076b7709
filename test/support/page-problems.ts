import type { Page } from 'playwright-core';

/** What browsers write to the console when nothing answers. */
const NETWORK = /net::ERR_|WebSocket connection to/;

/** What goes wrong in pages while a test works with them: errors of the console, exceptions and rejections that nobody catches. */
export class PageProblems {
  private readonly all: string[] = [];
  /** While a test has cut the network, browsers say so. */
  isCut = false;
  private expected: RegExp | undefined;

  /** Errors of the console that belong to what a test does now. */
  expect(pattern: RegExp | undefined): void {
    this.expected = pattern;
  }

  watch(page: Page): Page {
    page.on('pageerror', ({ message }) => this.all.push(message));
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() !== 'error' || (this.isCut && NETWORK.test(text)) || this.expected?.test(text))
        return;
      this.all.push(`${text} (${message.location().url})`);
    });
    return page;
  }

  /** Since the last call. */
  take(): string[] {
    return this.all.splice(0);
  }
}
