// Node 20.19 and later load ES modules by require.
const { memory } = require('nest-offline-sync-client');
const { createApp } = require('./app.js');
const { visit } = require('./visit.cjs');

void visit(createApp(memory()));
