export default {
  keys: 'newest',
  io: {
    connectionMiddleware: ['login'] as string[],
    packetMiddleware: ['count'] as string[],
  },
};
