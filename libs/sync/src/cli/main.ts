#!/usr/bin/env node
import { runCli } from './program';

void runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  colour: process.stdout.isTTY && !process.env['NO_COLOR'],
  ...(process.stderr.isTTY ? { columns: process.stderr.columns } : {}),
}).then((code) => {
  process.exitCode = code;
});
