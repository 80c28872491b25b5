const { io } = require('../../../servers/observe.cjs');
const init = require('../../../servers/options.cjs');

exports.keys = 'benchmark';

// Default on Egg 4. The other logger of Egg 3 is deprecated, and the warning costs a stack trace for each context.
exports.logger = { enableFastContextLogger: true };

exports.io = {
  ...io,
  init,
  namespace: { '/': { connectionMiddleware: ['connection'], packetMiddleware: ['auth'] } },
};
