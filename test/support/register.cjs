// Loaded before anything else, in the test process and in the processes that it starts: TypeScript from source, and
// `egg` as the major that EGG_MAJOR names (both are installed side by side).
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '../..');
const CACHE = path.join(ROOT, 'node_modules/.cache/egg-socket.io-tests');
const OPTIONS = {
  loader: 'ts',
  format: 'cjs',
  target: 'es2022',
  sourcemap: 'inline',
  // Modules are in strict mode.
  tsconfigRaw: fs.readFileSync(path.join(ROOT, 'tsconfig.json'), 'utf8'),
};

// tsx would do it, too, but it hooks into the resolution and the loading of every .js file as well: a run starts some 200
// processes and boots 3,000 applications, and with tsx each process takes 0.3 s of CPU time more and each boot a fifth more.
process.setSourceMapsEnabled(true);
require.extensions['.ts'] = (module, file) => module._compile(compile(file), file);
fs.mkdirSync(CACHE, { recursive: true });

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

/** Compiles a file to CommonJS. Compiled files are cached by their path, content and options. */
function compile(file) {
  const source = fs.readFileSync(file, 'utf8');
  const hash = createHash('sha256')
    .update(JSON.stringify([OPTIONS, file, source]))
    .digest('hex');
  const cached = path.join(CACHE, `${hash}.js`);
  if (fs.existsSync(cached)) return fs.readFileSync(cached, 'utf8');
  const { code } = require('esbuild').transformSync(source, { ...OPTIONS, sourcefile: file });
  // Another process may compile or read the same file at this moment.
  fs.writeFileSync(`${cached}.${process.pid}`, code);
  fs.renameSync(`${cached}.${process.pid}`, cached);
  return code;
}
