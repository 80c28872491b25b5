// One worker broadcasts, the other one counts the packets that it is about to write to a client.
const { setImmediate: turn } = require('node:timers/promises');

module.exports = ({ io }) => {
  const text = 'x'.repeat(150);
  let remaining = 0;
  let done;

  const received = () => {
    if (--remaining === 0) done();
  };

  io.route('pid', (ctx) => ctx.args[0](process.pid));

  // Answers when so many packets have arrived.
  io.route('receive', async (ctx) => {
    const [count, answer] = ctx.args;
    addListener(io.sockets, received);
    remaining = count;
    await new Promise((resolve) => {
      done = resolve;
    });
    answer();
  });

  // Broadcasts in batches, each in one turn of the event loop.
  io.route('broadcast', async (ctx) => {
    const [count, batch] = ctx.args;
    for (let n = 0; n < count; n++) {
      io.to('room').emit('news', { n, text });
      if (n % batch === batch - 1) await turn();
    }
  });
};

/** Adds a socket without a network, which would cost more than what is measured. */
function addListener({ sockets, adapter }, received) {
  const id = 'listener';
  sockets.set(id, { id, client: { writeToEngine: received }, notifyOutgoingListeners() {} });
  adapter.addAll(id, new Set(['room']));
}
