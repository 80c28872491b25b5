exports.keys = 'guide';

exports.io = {
  namespace: {
    '/': { connectionMiddleware: ['room'] },
  },
};
