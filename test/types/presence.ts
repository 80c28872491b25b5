// The types of presence: events that an application declares, the client, and the agent.
import type { Agent } from 'egg';
import type { AgentPresence, PresenceEvents } from 'egg-socket.io';
import type { Socket } from 'socket.io-client';
import { Presence } from '../../lib/presence/client';

interface ServerEvents extends PresenceEvents {
  said: (text: string) => void;
}

export async function use(socket: Socket<ServerEvents>, agent: Agent): Promise<void> {
  const here = new Presence<{ name: string }>(socket, 'lobby');
  here.on('change', ({ joins, leaves }) => {
    const name: string | undefined = joins.ann?.[0]?.name ?? leaves.ann?.[0]?.name;
    // @ts-expect-error the meta has no such member
    joins.ann?.[0]?.age;
    void name;
  });
  // @ts-expect-error there is no such event
  here.on('joined', () => {});
  socket.on('presence_diff', ({ topic, joins }) => `${topic} ${joins.ann?.[0]?.ref.toFixed()}`);

  const there: AgentPresence = agent.io.of('/chat').presence('lobby');
  const count: number = await there.count();
  void count;
}
