exports.keys = 'guide';

exports.io = {
  // The only line that version 5 adds.
  compat: true,
  namespace: {
    '/': {
      connectionMiddleware: ['auth'],
      packetMiddleware: [],
    },
  },
};
