// As many namespaces and packet middlewares as scaling.cjs asks for.
const init = require('../../../servers/options.cjs');

const { NAMESPACES, MIDDLEWARES } = process.env;
const chains = { connectionMiddleware: ['connection'], packetMiddleware: Array(Number(MIDDLEWARES)).fill('packet') };

exports.keys = 'benchmark';

exports.io = {
  init,
  namespace: Object.fromEntries(NAMESPACES.split(',').map((name) => [name, chains])),
};
