exports.keys = 'benchmark';

exports.io = {
  namespace: { '/': { connectionMiddleware: ['connection'], packetMiddleware: ['packet'] } },
};
