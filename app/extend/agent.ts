// agent.io, created when it is first read.
import type { Agent } from 'egg';
import { AgentIo, commandSender } from '../../lib/agent/io';
import { AgentPresences } from '../../lib/agent/presence';
import { configOf } from '../../lib/config/config';
import { Users } from '../../lib/users';

const IO = Symbol('egg-socket.io:io');

export default {
  /** Emits to the clients of all workers. */
  get io(): AgentIo {
    const agent = this as unknown as Agent & { [IO]?: AgentIo };
    if (agent[IO] === undefined) {
      const { requestsTimeout, user } = configOf(agent);
      const send = commandSender(agent);
      agent[IO] = new AgentIo(send, new Users(agent, user), new AgentPresences(agent.messenger, send, requestsTimeout));
    }
    return agent[IO];
  },
};
