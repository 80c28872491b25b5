// What happens when, in the agent: it starts before the workers, so a mistake in config.io is said once, not by each, and what
// killed ones have left is gone.
import type { Agent } from 'egg';
import { sweep } from './lib/cluster/directory';
import { resolveConfig } from './lib/config';
import { adapterOf } from './lib/host';
import { loadWsEngine } from './lib/init';
import { hidePassword } from './lib/redis/config';

export default class IoAgentBoot {
  constructor(private readonly agent: Agent) {}

  configWillLoad(): void {
    hidePassword(this.agent.config);
    adapterOf(this.agent);
    // To have said what can't be loaded.
    loadWsEngine(resolveConfig(this.agent.config.io).init, this.agent.baseDir);
  }

  async didLoad(): Promise<void> {
    await sweep(this.agent.config.rundir);
  }
}
