const { io } = require('../../../servers/observe.cjs');
const init = require('../../../servers/options.cjs');

exports.keys = 'benchmark';

exports.io = {
  ...io,
  init,
  namespace: { '/': { connectionMiddleware: ['connection'] } },
};
