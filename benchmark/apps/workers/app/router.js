// A worker that emits, and a worker that notes when what was emitted is about to be written to a client. The clocks of two
// processes of one host are the same.
const now = () => Number(process.hrtime.bigint() / 1000n);

/** Stands where a client would: it has no network of its own, which would cost more than what is measured. */
function listener(io, heard) {
  io.sockets.sockets.set('listener', {
    id: 'listener',
    client: { writeToEngine: (packets) => heard(String(packets[0])) },
    notifyOutgoingListeners: () => {},
  });
  io.sockets.adapter.addAll('listener', new Set(['room']));
}

module.exports = (app) => {
  const { io } = app;
  const text = 'x'.repeat(150);
  let wanted = 0;
  let latencies = [];
  let done;

  const heard = (packet) => {
    latencies.push(now() - Number(/"t":(\d+)/.exec(packet)[1]));
    if (latencies.length === wanted) done();
  };

  io.route('who', (ctx) => ctx.args[0]({ pid: process.pid, master: process.ppid }));
  io.route('cpu', (ctx) => {
    const { user, system } = process.cpuUsage();
    ctx.args[0](user + system);
  });

  // Answers when so many have come.
  io.route('listen', async (ctx) => {
    const [count, answer] = ctx.args;
    if (!io.sockets.sockets.has('listener')) listener(io, heard);
    latencies = [];
    wanted = count;
    await new Promise((resolve) => {
      done = resolve;
    });
    answer({ latencies, end: now() });
  });

  // One after the other with a pause between, or all in batches of one turn of the event loop each.
  io.route('emit', async (ctx) => {
    const [{ count, pause, batch }, answer] = ctx.args;
    const begin = now();
    for (let n = 0; n < count; n++) {
      io.to('room').emit('news', { t: now(), n, text });
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
      else if (n % batch === batch - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    answer(begin);
  });
};
