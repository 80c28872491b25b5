const init = require('../../../servers/options.cjs');

exports.keys = 'benchmark';

exports.io = {
  init,
  namespace: { '/': { connectionMiddleware: ['connection'], packetMiddleware: ['auth'] } },
};
