// Each adapter, with real processes: see support/conformance.ts.
import { conformance } from './support/conformance';

const LOCAL_ANSWERS = 'Socket.IO waits for as many workers as there are, local or not';

conformance('memory', {
  workers: 1,
  adapter: 'memory',
  unable: { tellOthers: 'there are none: Socket.IO prints a warning and answers nothing' },
});

conformance('cluster', { workers: 3, adapter: 'cluster', unable: { localAnswers: LOCAL_ANSWERS } });

conformance('redis', {
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
      'a large number': 'notepack.io, which writes the broadcasts, cuts integers off at 64 bits',
    },
  },
});
