// Loaded before anything else, in the test process and in the processes that it starts: TypeScript from source, and
// `egg` as the major that EGG_MAJOR names (both are installed side by side).
const Module = require('node:module');
require('tsx/cjs');

process.env.EGG_TYPESCRIPT = 'true';
// The first two work at fixed times of the day, and each application of this process would do it for all of them. On Egg 4 the
// third looks into the directories of every application that this process has started: each start would take longer.
process.env.EGG_PLUGINS = JSON.stringify({ logrotator: false, multipart: false, i18n: false });
const aliases = process.env.EGG_MAJOR === '4' ? { egg: 'egg4', 'egg-mock': '@eggjs/mock' } : {};
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  const [, name, path = ''] = /^(egg(?:-mock)?)(\/.*)?$/.exec(request) ?? [];
  return resolve.call(this, name && aliases[name] ? aliases[name] + path : request, ...rest);
};
