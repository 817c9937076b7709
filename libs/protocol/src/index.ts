/**
 * What devices and servers say to each other. docs/protocol.md of the repository says what each message means; here are
 * its types, its codes, the checks that need no server, and the arithmetic of versions.
 */
export * from './asyncapi.ts';
export * from './change.ts';
export * from './digest.ts';
export * as documentPieces from './document-pieces.ts';
export * from './documents.ts';
export * from './envelope.ts';
export * from './errors.ts';
export * from './full.ts';
export * from './hlc.ts';
export * from './info.ts';
export * from './json.ts';
export * from './openapi.ts';
export * from './patch.ts';
export * from './pull.ts';
export * from './push.ts';
export * from './read-query.ts';
export * from './scopes.ts';
export * from './stream.ts';
export { utf8Length } from './text.ts';
