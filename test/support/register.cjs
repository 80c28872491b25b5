// Preloaded into the test process and the processes that it starts. Compiles TypeScript on require(), and resolves `egg` to the major
// version that EGG_MAJOR names. Both versions are installed.
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

// tsx is slower, because it also hooks into the resolution and loading of every .js file. A run starts some 200 processes and boots
// 3,000 applications. With tsx each process takes 0.3 s more CPU time, and each boot takes 20 % longer.
process.setSourceMapsEnabled(true);
require.extensions['.ts'] = (module, file) => module._compile(compile(file), file);
fs.mkdirSync(CACHE, { recursive: true });

process.env.EGG_TYPESCRIPT = 'true';
// The first two run at fixed times of the day, once for each application of this process. On Egg 4 the third reads the directories
// of all applications that this process has started, so each start would take longer than the one before.
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
