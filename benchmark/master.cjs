// An Egg cluster of two workers, for workers.cjs.
const path = require('node:path');

const register = require.resolve('../test/support/register.cjs');
require(register);
const { startCluster } = require('egg');

const [, , port] = process.argv;
const options = { baseDir: path.join(__dirname, 'apps/workers'), port: Number(port), workers: 2, require: [register] };
// Egg 3 calls back, Egg 4 gives a promise.
let said = false;
const ready = () => {
  if (!said) process.send('ready');
  said = true;
};
Promise.resolve(startCluster(options, ready)).then((started) => started !== undefined && ready());
