// The adapters that are held to the suite, each with what it can't do and why. Called by conformance.test.ts and
// agent-io.test.ts.
import type { WorldOptions } from './world';

const LOCAL_ANSWERS = 'Socket.IO waits for as many workers as there are, local or not';

export const ADAPTERS: Record<string, WorldOptions> = {
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
      atOnce:
        '@socket.io/redis-adapter reaches the sockets of the own worker by way of Redis, too, but emits to them at once',
      localAnswers: LOCAL_ANSWERS,
      binaryAnswers: '@socket.io/redis-adapter writes what workers tell each other as JSON',
      payloads: {
        'half a character': 'notepack.io, which writes the broadcasts, replaces it',
        'a Uint16Array': 'notepack.io takes the number of elements for the number of bytes',
        'a DataView': 'notepack.io takes it for empty',
        'a large number': 'notepack.io cuts integers off at 64 bits',
      },
    },
  },
};
