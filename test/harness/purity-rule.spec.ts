import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';

const purity = jest.requireActual<Linter.Config[]>('../../eslint.purity.cjs');
const linter = new Linter({ configType: 'flat' });

function complaints(code: string, filename = 'libs/sync/src/plan/planner.ts'): string[] {
  const parsing: Linter.Config = {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser },
  };
  return linter.verify(code, [parsing, ...purity], { filename }).map(({ message }) => message);
}

describe('the purity rule', () => {
  it.each([
    ["import { Injectable } from '@nestjs/common';", 'no framework'],
    ["import mongoose from 'mongoose';", 'no framework'],
    ["import { Types } from 'mongoose/lib/types';", 'no framework'],
    ["import { MongoClient } from 'mongodb';", 'no framework'],
    ["import { Request } from 'express';", 'no framework'],
    ["import { WebSocket } from 'ws';", 'no framework'],
    ["import { Observable } from 'rxjs';", 'no framework'],
    ["import { map } from 'rxjs/operators';", 'no framework'],
    ["export { Injectable } from '@nestjs/common';", 'no framework'],
    ["import { readFileSync } from 'node:fs';", 'no I/O'],
    ["import { readFile } from 'node:fs/promises';", 'no I/O'],
    ["import { readFileSync } from 'fs';", 'no I/O'],
    ["import { hostname } from 'node:os';", 'no I/O'],
    ["import http from 'node:http';", 'no I/O'],
    ["import { spawn } from 'node:child_process';", 'no I/O'],
    ["import { setTimeout } from 'node:timers/promises';", 'no I/O'],
    ["import { randomUUID } from 'node:crypto';", 'no random values'],
    ['export const now = Date.now();', 'no clock'],
    ['export const now = new Date();', 'no clock'],
    ['export const now = Date();', 'no clock'],
    ['export const started = performance.now();', 'no surroundings'],
    ['export const chance = Math.random();', 'no random values'],
    ['export const id = crypto.randomUUID();', 'no surroundings'],
    ['export const node = process.env.HLC_NODE_ID;', 'no surroundings'],
    ['export const tick = (f: () => void) => setTimeout(f, 1);', 'no surroundings'],
    ['export const tick = (f: () => void) => globalThis.setInterval(f, 1);', 'no surroundings'],
    ["export const load = () => import('mongoose');", 'loads nothing'],
  ])('refuses %s', (code, reason) => {
    expect(complaints(code)).toEqual([expect.stringContaining(reason)]);
  });

  it.each([
    "import type { ClientSession } from 'mongoose';",
    "import { type ClientSession } from 'mongoose';",
    "import { createHash } from 'node:crypto';",
    "import { format } from './node-id';",
    'export const at = (ms: number) => new Date(ms).toISOString();',
    'export const parsed = Date.parse("2026-01-01");',
    'export function plan(process: { id: number }) { return process.id; }',
  ])('accepts %s', (code) => {
    expect(complaints(code)).toEqual([]);
  });

  it('leaves alone the files that may touch the world', () => {
    const impure = "import mongoose from 'mongoose'; export const now = Date.now();";
    const files = [
      'sync.module.ts',
      'commit/committer.ts',
      'index.ts',
      'clock/node-id.spec.ts',
      'cli/main.ts',
    ];
    for (const file of files) expect(complaints(impure, `libs/sync/src/${file}`)).toEqual([]);
    expect(complaints(impure, 'apps/demo/src/main.ts')).toEqual([]);
    // Everything of a pure folder is pure, and a pure file of another one.
    for (const file of ['plan/new.service.ts', 'pull/cursor.ts'])
      expect(complaints(impure, `libs/sync/src/${file}`)).toHaveLength(2);
  });
});

describe('the rule of libs/protocol', () => {
  const complaintsThere = (code: string) => complaints(code, 'libs/protocol/src/push.ts');

  it.each([
    "import { createHash } from 'node:crypto';",
    "import type { Socket } from 'node:net';",
    "import type { ClientSession } from 'mongoose';",
    "import fc from 'fast-check';",
    "export { Injectable } from '@nestjs/common';",
    'export const bytes = Buffer.byteLength("x");',
    'export const bytes = new TextEncoder().encode("x");',
    'export const title = document.title;',
    'export const agent = navigator.userAgent;',
    'export const at = process.pid;',
  ])('refuses %s', (code) => {
    expect(complaintsThere(code)).toEqual([expect.stringContaining('runs everywhere')]);
  });

  it('is as pure as the rest', () => {
    expect(complaintsThere('export const now = Date.now();')).toEqual([expect.stringContaining('no clock')]);
    expect(complaintsThere('export const all = globalThis;')).toEqual([]);
    expect(complaintsThere('export const all = globalThis.window;')).toHaveLength(1);
  });

  it('accepts what the language has, and the package’s own files', () => {
    expect(complaintsThere("import { parseHlc } from './hlc.ts'; export const read = JSON.parse;")).toEqual(
      [],
    );
  });

  it('leaves tests alone', () => {
    expect(complaints("import fc from 'fast-check';", 'libs/protocol/src/push.spec.ts')).toEqual([]);
  });
});
