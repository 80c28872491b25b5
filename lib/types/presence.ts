// Presence as applications see it: which clients are tracked in a topic of a namespace, on all workers.
import type { Context } from 'egg';

/** What is known of one tracked socket beside its key, such as its name or its device: JSON, at most 4,096 bytes. */
// biome-ignore lint/suspicious/noExplicitAny: the application decides what it contains
export type PresenceMeta = Record<string, any>;

/** Who is present: by key, the metas of all sockets that are tracked under it. */
export type PresenceList<M extends PresenceMeta = PresenceMeta> = Record<string, M[]>;

/** By key, the metas of sockets with their references. The reference of a socket is a number that has a meaning to one client only. */
export type PresenceEntries<M extends PresenceMeta = PresenceMeta> = Record<string, { ref: number; meta: M }[]>;

/**
 * The events that the server sends to tracked clients. An application adds it to the events of its namespaces.
 *
 * @example
 * interface ServerEvents extends PresenceEvents {
 *   said: (text: string) => void;
 * }
 */
export interface PresenceEvents {
  /** Who is present. It replaces what the client has received before. */
  presence_state: (message: { topic: string; state: PresenceEntries }) => void;
  /** What has changed since. A join with a reference that the client has replaces the meta. `leaves` has the last metas. */
  presence_diff: (message: { topic: string; joins: PresenceEntries; leaves: PresenceEntries }) => void;
}

/** The presence of one topic of a namespace: `app.io.of(name).presence(topic)`. */
export interface Presence {
  /**
   * Tracks the client of a context until its socket disconnects. The client receives `presence_state`, and `presence_diff` from then on. In
   * connection middleware, it is tracked as soon as it is connected. A client that is tracked already gets the new key and the new meta.
   *
   * @param ctx - a context of `app/io` of this namespace
   * @param key - who the client is. Default: its user (`config.io.user`), or the id of its socket if it has none
   * @param meta - default: `{}`. It is sent to all tracked clients of the topic
   * @throws {TypeError} if the key or the meta is not valid, or if the context belongs to another namespace
   *
   * @example
   * await app.io.of('/chat').presence('lobby').track(ctx, ctx.userId, { name: 'Ann' });
   */
  track(ctx: Context, key?: string | number | bigint | null, meta?: PresenceMeta): Promise<void>;
  /**
   * Replaces the meta of the client of a context.
   *
   * @returns whether the client is tracked
   * @throws {TypeError} if the meta is not valid
   */
  update(ctx: Context, meta: PresenceMeta): boolean;
  /**
   * Ends the tracking of the client of a context. It receives an empty `presence_state`, and no diffs any more.
   *
   * @returns whether the client was tracked
   */
  untrack(ctx: Context): boolean;
  /**
   * Returns who is present, on all workers and hosts: by key, the meta of each socket. It is answered by this worker alone. The first call
   * of a worker waits until the others have answered what they have.
   */
  list(): Promise<PresenceList>;
  /** Returns how many keys are present, as far as this worker knows at this moment. */
  count(): number;
}

/** The presence of a topic in the agent, which asks one worker. */
export interface AgentPresence {
  /** Returns who is present: by key, the meta of each socket. */
  list(): Promise<PresenceList>;
  /** Returns how many keys are present. */
  count(): Promise<number>;
}
