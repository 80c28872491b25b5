// The adapter of each namespace with config.io.adapter 'redis-streams': Socket.IO's, which sends broadcasts by way of a stream
// that Redis keeps for a while. Made by lib/redis.ts.
import { createAdapter } from '@socket.io/redis-streams-adapter';
import type { Namespace } from 'socket.io';
import type { MakeAdapter } from './adapter';
import { atOnce, type Inner } from './at-once';
import { type AdapterOptions, MAX_LENGTH, PREFIX, REQUESTS_TIMEOUT } from './config';
import type { RedisLink } from './link';
import { StreamsClient } from './streams/client';
import type { Reader } from './streams/reader';
import { recovery } from './streams/recovery';
import { Sessions } from './streams/sessions';

/** @param duration - with connectionStateRecovery, how long a client may be away, in ms */
export function streamsAdapter(link: RedisLink, options: AdapterOptions, duration: number | undefined): MakeAdapter {
  const { key = PREFIX, requestsTimeout: timeout = REQUESTS_TIMEOUT, maxLen = MAX_LENGTH } = options;
  const { publisher, subscriber } = link;
  const reader = link.reader as Reader;
  const client = new StreamsClient(publisher, subscriber, reader);
  const create = createAdapter(client, { streamName: key, channelPrefix: key, maxLen });
  const sessions = duration === undefined ? undefined : new Sessions(link, `${key}:session:`, duration);

  return (nsp: Namespace) => {
    const adapter = create(nsp);
    const { uid } = adapter as unknown as Inner;
    const channel = `${key}#${nsp.name}#`;
    const owner = `${channel}${uid}#`;
    const { close, onRawMessage } = adapter;
    // As the adapter does it a moment later.
    subscriber.subscribe([channel, owner]);
    Object.assign(adapter, atOnce(adapter, link, { channel, count: 'NUMSUB', timeout }), {
      onRawMessage(entry: Parameters<typeof onRawMessage>[0], id: string) {
        reader.position = id;
        try {
          onRawMessage.call(adapter, entry, id);
        } catch (err) {
          link.reports.unreadable(err as Error);
        }
      },
      close() {
        close.call(adapter);
        client.unsubscribe([channel, owner]);
      },
    });
    if (!sessions) return adapter;
    return Object.assign(adapter, recovery(adapter, { publisher, reader, sessions, stream: key, owner }));
  };
}
