// The adapters for which the conformance suites run, each with what it can not do and why.
import type { WorldOptions } from './world';

const NOTEPACK = {
  'half a character': 'notepack.io, which writes the broadcasts, replaces it',
  'a large number': 'notepack.io cuts integers off at 64 bits',
};

export const ADAPTERS = {
  memory: {
    workers: 1,
    adapter: 'memory',
    unable: { tellOthers: 'there are none: Socket.IO prints a warning and answers nothing' },
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
      binaryAnswers: '@socket.io/redis-adapter writes what workers tell each other as JSON',
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
    unable: { askOrder: 'what is asked goes by way of pub/sub, broadcasts by way of the stream' },
  },
} satisfies Record<string, WorldOptions>;
