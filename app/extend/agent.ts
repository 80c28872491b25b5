// agent.io, made when it is first asked for.
import type { Agent } from 'egg';
import { AgentIo } from '../../lib/agent/io';
import { sender } from '../../lib/agent/messenger';
import { resolveConfig } from '../../lib/config';
import { Users } from '../../lib/users';

const IO = Symbol('egg-socket.io:io');

export default {
  /** Emits to the clients of all workers. */
  get io(): AgentIo {
    const agent = this as unknown as Agent & { [IO]?: AgentIo };
    agent[IO] ??= new AgentIo(sender(agent), new Users(agent, resolveConfig(agent.config.io).user));
    return agent[IO];
  },
};
