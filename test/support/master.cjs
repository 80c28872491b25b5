// Preloaded into the master of a cluster: sets the ports of the agent and the workers. The master would detect free ports, which
// another process could use before its agent and its workers listen on them.
const Module = require('node:module');

const ports = process.env.TEST_PORTS?.split(',').map(Number);
// The agent and the workers load this file as well, but only the master uses the ports.
delete process.env.TEST_PORTS;
const load = Module._load;
if (ports) {
  Module._load = function (request, ...rest) {
    return request === 'detect-port' ? { detectPort } : load.call(this, request, ...rest);
  };
}

async function detectPort() {
  if (ports.length === 0) throw new Error('the master needs more ports than test/support/cluster.ts provides');
  return ports.shift();
}
