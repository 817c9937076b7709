/** `node -r` this: packages named in REFUSED_PACKAGES cannot be found, as in an app that has not installed them. */
const Module = require('node:module');

const refused = (process.env.REFUSED_PACKAGES ?? '').split(',').filter(Boolean);
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (!refused.some((name) => request === name || request.startsWith(`${name}/`)))
    return resolveFilename.call(this, request, ...rest);
  const error = new Error(`Cannot find module '${request}'\nRequire stack:\n- ${String(rest[0]?.filename)}`);
  throw Object.assign(error, { code: 'MODULE_NOT_FOUND' });
};
