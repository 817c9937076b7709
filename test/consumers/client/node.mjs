import { memory } from 'nest-offline-sync-client';
import { createApp } from './app.js';
import { visit } from './visit.cjs';

await visit(createApp(memory()));
