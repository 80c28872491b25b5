// From the agent to one worker, by Egg's messenger: always the same one as long as it lives, so that what is sent first
// arrives first. Called by app/extend/agent.ts.
import type { Agent } from 'egg';
import { isCluster } from '../host';
import { ACTION } from './command';

/** Sends to one worker. */
export function sender(agent: Agent): (command: string) => void {
  const { messenger, coreLogger } = agent;
  if (!isCluster(agent)) return (command) => void messenger.sendToApp(ACTION, command);
  let workers = ((messenger as { opids?: Array<number | string> }).opids ?? []).map(String);
  let current: string | undefined;
  messenger.on('egg-pids', (pids: Array<number | string>) => {
    workers = pids.map(String);
  });
  return (command) => {
    if (current === undefined || !workers.includes(current)) [current] = workers;
    if (current === undefined) {
      coreLogger.warn(
        '[egg-socket.io] agent.io has emitted before any worker listens: nobody gets it. Wait for agent.messenger.once("egg-ready")',
      );
      return;
    }
    messenger.sendTo(current as never, ACTION, command);
  };
}
