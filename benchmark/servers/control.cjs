// What the benchmark asks a server under test, over the channel between parent and child. Used by each server.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What can be asked: `{ ask: name }` is answered with what the function gives. */
const questions = {
  /** CPU time of the process in µs, as the operating system counts it. */
  async cpu() {
    // What the last packets have set in motion ends first.
    await pause(20);
    const { user, system } = process.cpuUsage();
    return user + system;
  },

  /** Bytes after a full collection; needs --expose-gc. */
  async memory() {
    for (let n = 0; n < 3; n++) {
      globalThis.gc();
      await pause(30);
    }
    // Gives back to the operating system what is free, but doesn't find all that is.
    globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    globalThis.gc();
    const { heapUsed, rss } = process.memoryUsage();
    return { heap: heapUsed, rss };
  },

  /** Ends as a process that is done, so that --cpu-prof writes its profile. */
  exit: () => process.exit(),
};

/** Listens on a free port and says so to the parent. */
function serve(server) {
  server.listen(0, '127.0.0.1', () => report(server.address().port));
}

/** Says to the parent where the server listens. */
function report(port) {
  process.on('message', async ({ ask }) => process.send({ answer: await questions[ask]() }));
  process.on('disconnect', () => process.exit());
  process.send({ answer: port });
}

module.exports = { serve, report };
