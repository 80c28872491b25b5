// agent.io, made when it is first asked for.
import type { Agent } from 'egg';
import { AgentIo, sender } from '../../lib/agent/io';
import { configOf } from '../../lib/config/config';
import { Users } from '../../lib/users';

const IO = Symbol('egg-socket.io:io');

export default {
  /** Emits to the clients of all workers. */
  get io(): AgentIo {
    const agent = this as unknown as Agent & { [IO]?: AgentIo };
    agent[IO] ??= new AgentIo(sender(agent), new Users(agent, configOf(agent).user));
    return agent[IO];
  },
};
