// The adapters for which the conformance suites run, each with what it can not do and why.
import type { WorldOptions } from './world';

const NOTEPACK = {
  'half a character': 'notepack.io, which encodes the broadcasts, replaces it',
  'a large number': 'notepack.io truncates integers to 64 bits',
};

export const ADAPTERS = {
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
} satisfies Record<string, WorldOptions>;
