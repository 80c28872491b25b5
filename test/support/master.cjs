// Loaded before anything else into the master of a cluster. It would take free ports from the system and let go of them
// until its agent and its workers listen: what listens meanwhile may get the same. Here it is given ports that are kept.
const Module = require('node:module');

const ports = process.env.TEST_PORTS?.split(',').map(Number);
// Agent and workers load this file as well; the ports are the master's.
delete process.env.TEST_PORTS;
const load = Module._load;
if (ports) {
  Module._load = function (request, ...rest) {
    return request === 'detect-port' ? { detectPort } : load.call(this, request, ...rest);
  };
}

async function detectPort() {
  if (ports.length === 0) throw new Error('the master asks for more ports than test/support/cluster.ts gives');
  return ports.shift();
}
