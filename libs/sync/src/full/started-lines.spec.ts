import { StartedLines } from './started-lines';

async function* source(
  log: string[],
  chunks: readonly string[],
): AsyncGenerator<string, undefined, undefined> {
  try {
    for (const chunk of chunks) {
      if (chunk === 'error') throw new Error('the database is gone');
      log.push(`read ${chunk}`);
      yield await Promise.resolve(chunk);
    }
  } finally {
    log.push('closed');
  }
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of lines) chunks.push(chunk);
  return chunks;
}

describe('StartedLines', () => {
  it('gives every chunk once', async () => {
    const log: string[] = [];
    const lines = await StartedLines.of(source(log, ['a', 'b', 'c']));
    expect(log).toEqual(['read a']);
    expect(await all(lines)).toEqual(['a', 'b', 'c']);
    expect(await all(lines)).toEqual([]);
    expect(log.at(-1)).toBe('closed');
  });

  it('closes the source when nobody takes even the first chunk', async () => {
    const log: string[] = [];
    const lines = await StartedLines.of(source(log, ['a', 'b']));
    await lines.return();
    expect(log).toEqual(['read a', 'closed']);
    expect(await all(lines)).toEqual([]);
  });

  it('closes the source when the reader stops half-way', async () => {
    const log: string[] = [];
    for await (const chunk of await StartedLines.of(source(log, ['a', 'b', 'c']))) if (chunk === 'b') break;
    expect(log).toEqual(['read a', 'read b', 'closed']);
  });

  it('fails at once when the first chunk does, and where it does otherwise', async () => {
    const log: string[] = [];
    await expect(StartedLines.of(source(log, ['error']))).rejects.toThrow('gone');
    const later = await StartedLines.of(source(log, ['a', 'error']));
    await expect(all(later)).rejects.toThrow('gone');
    expect(log).toEqual(['closed', 'read a', 'closed']);
  });

  it('is empty when the source is', async () => {
    expect(await all(await StartedLines.of(source([], [])))).toEqual([]);
  });

  it('ends with the chunk that it was given, unless it breaks off or is given up', async () => {
    const log: string[] = [];
    expect(await all((await StartedLines.of(source(log, ['a', 'b']))).endingWith('end'))).toEqual([
      'a',
      'b',
      'end',
    ]);
    expect(await all((await StartedLines.of(source([], []))).endingWith('end'))).toEqual(['end']);
    const broken = (await StartedLines.of(source(log, ['a', 'error']))).endingWith('end');
    await broken.next();
    await expect(broken.next()).rejects.toThrow('gone');
    const left = (await StartedLines.of(source(log, ['a']))).endingWith('end');
    await left.return();
    expect(await all(left)).toEqual([]);
  });
});
