export default {
  keys: 'change this in your application',
  io: { ack: 'auto' as const },
};
