// What happens when, in the agent: it starts before the workers, so a mistake in config.io is said once, not by each.
import type { Agent } from 'egg';
import { adapterOf } from './lib/host';
import { hidePassword } from './lib/redis/config';

export default class IoAgentBoot {
  constructor(private readonly agent: Agent) {}

  configWillLoad(): void {
    hidePassword(this.agent.config);
    adapterOf(this.agent);
  }
}
