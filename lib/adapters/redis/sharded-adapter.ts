// The adapter of each namespace with config.io.adapter 'redis-sharded': Socket.IO's for the sharded channels of Redis 7, of
// which each has its node of a Redis Cluster. Made by lib/redis.ts.
import { createShardedAdapter } from '@socket.io/redis-adapter';
import { Adapter } from 'socket.io-adapter';
import { type AdapterOptions, PREFIX, REQUESTS_TIMEOUT } from '../../config/redis';
import { atOnce } from './cluster-adapter';
import type { RedisLink } from './connection';
import type { MakeAdapter } from './redis-adapter';

/**
 * @param longIds - whether sockets have ids that are not Socket.IO's own, which the adapter knows by their length: any other
 *   it would look for on a channel of its own
 */
export function shardedAdapter(link: RedisLink, options: AdapterOptions, longIds: boolean): MakeAdapter {
  const { key: channelPrefix = PREFIX, requestsTimeout: timeout = REQUESTS_TIMEOUT } = options;
  const { subscriptionMode: mode = 'static' } = options;
  const subscriptionMode = mode === 'dynamic' && longIds ? 'dynamic-private' : mode;
  const create = createShardedAdapter(link.publisher, link.subscriber, { channelPrefix, subscriptionMode });
  return (nsp) => {
    const adapter = create(nsp);
    const channel = `${channelPrefix}#${nsp.name}#`;
    Object.assign(adapter, atOnce(adapter, link, { channel, count: 'SHARDNUMSUB', timeout }));
    if (subscriptionMode === 'static') return adapter;
    return Object.assign(adapter, {
      /** Whoever waits for it is in the room for the other workers, too. */
      addAll(id: string, rooms: Set<string>): Promise<void> {
        Adapter.prototype.addAll.call(adapter, id, rooms);
        return link.subscriber.settled(timeout);
      },
    });
  };
}
