// agent.io, created when it is first read.
import type { Agent } from 'egg';
import { AgentIo, commandSender } from '../../lib/agent/io';
import { configOf } from '../../lib/config/config';
import { Users } from '../../lib/users';

const IO = Symbol('egg-socket.io:io');

export default {
  /** Emits to the clients of all workers. */
  get io(): AgentIo {
    const agent = this as unknown as Agent & { [IO]?: AgentIo };
    agent[IO] ??= new AgentIo(commandSender(agent), new Users(agent, configOf(agent).user));
    return agent[IO];
  },
};
