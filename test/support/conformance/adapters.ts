// The adapters of the conformance suite, each with what it does not support and the reason.
import type { WorldOptions } from './world';

const NOTEPACK = {
  'half a character': 'notepack.io, which encodes the broadcasts, replaces it',
  'a large number': 'notepack.io truncates integers to 64 bits',
};

export const ADAPTERS: Record<string, WorldOptions> = {
  memory: {
    workers: 1,
    adapter: 'memory',
    unable: { tellOthers: 'there are no other workers: Socket.IO prints a warning and does not answer' },
  },
  cluster: {
    workers: 3,
    adapter: 'cluster',
    unable: {},
  },
  redis: {
    workers: 3,
    adapter: 'redis',
    redis: true,
    unable: {
      binaryAnswers: '@socket.io/redis-adapter encodes messages between workers as JSON',
      payloads: NOTEPACK,
    },
  },
  'redis-sharded': {
    workers: 3,
    adapter: 'redis-sharded',
    redis: true,
    unable: { payloads: NOTEPACK },
  },
  'redis-streams': {
    workers: 3,
    adapter: 'redis-streams',
    redis: true,
    unable: { askOrder: 'requests with acknowledgement use pub/sub, broadcasts use the stream' },
  },
};
