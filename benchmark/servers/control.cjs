// The IPC channel of a server: answers the commands of the benchmark.
const { setTimeout: delay } = require('node:timers/promises');

const commands = {
  /** CPU time of the process in µs, user and system. */
  async cpu() {
    // Work that the last packets have caused ends first.
    await delay(20);
    const { user, system } = process.cpuUsage();
    return user + system;
  },

  /** Bytes of the heap that are in use after garbage collection. */
  async heap() {
    for (let n = 0; n < 3; n++) {
      globalThis.gc();
      await delay(30);
    }
    globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    globalThis.gc();
    return process.memoryUsage().heapUsed;
  },

  /** Exits by itself, so that `--cpu-prof` writes its profile. */
  exit: () => process.exit(),
};

/** Listens on a free port and reports it. */
function serve(server) {
  server.listen(0, '127.0.0.1', () => report({ port: server.address().port }));
}

/**
 * Reports that the server is ready, and answers commands from then on.
 *
 * @param address - the `port`, and the `cookie` that its clients send
 */
function report(address) {
  process.on('message', async ({ command }) => process.send({ result: await commands[command]() }));
  process.on('disconnect', () => process.exit());
  process.send({ result: address });
}

module.exports = { serve, report };
