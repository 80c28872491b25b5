// Between the links and the adapters of the namespaces: which message is for whom. Made by lib/cluster.ts.
import { type BroadcastFlags, type ClusterMessage, type ClusterResponse, MessageType } from 'socket.io-adapter';
import { type Encoded, encodeBroadcast, encodeFrame, FrameType } from './frame';
import type { Incoming, LinkLog, Membership } from './links';
import type { LinkAdapter } from './links-adapter';

/** Whom a broadcast is for, with the names of Socket.IO's adapters. */
export interface Target {
  nsp: string;
  rooms: string[];
  except: string[];
  flags: BroadcastFlags | undefined;
}

type Body = { nsp: string; data?: { requestId?: string } };

/** Publishes for the adapters, and gives them what comes. */
export class Exchange implements Incoming {
  readonly #adapters = new Map<string, LinkAdapter>();

  constructor(
    private readonly members: Membership,
    private readonly log: LinkLog,
  ) {}

  get tag(): string {
    return this.members.tag;
  }

  /** How many other workers are linked. */
  get size(): number {
    return this.members.size;
  }

  /** The adapter of a namespace, in place of an earlier one. */
  add(nsp: string, adapter: LinkAdapter): void {
    this.#adapters.set(nsp, adapter);
  }

  /** The namespace is no more. */
  remove(nsp: string, adapter: LinkAdapter): void {
    if (this.#adapters.get(nsp) === adapter) this.#adapters.delete(nsp);
  }

  /**
   * Sends a message to all other workers.
   *
   * @returns the tags of those that get it
   * @throws {TypeError} for what JSON can't express
   */
  publish(message: ClusterMessage): string[] {
    const tags = this.members.tags();
    this.members.publish(encodeFrame(FrameType.MESSAGE, message));
    return tags;
  }

  /** Sends a packet for clients to all other workers. */
  emit(target: Target, packet: Encoded): void {
    this.members.publish(encodeBroadcast(target, packet));
  }

  /** Something that Socket.IO would not say could not be sent. */
  failed(err: Error): void {
    this.log.error(err);
  }

  /** Answers a worker. */
  respond(requester: string, response: ClusterResponse): void {
    try {
      this.members.send(requester, encodeFrame(FrameType.RESPONSE, response));
    } catch (err) {
      const reason = (err as Error).message.split('\n', 1)[0];
      this.log.error(
        `[egg-socket.io] can't answer another worker about ${response.nsp}: ${reason}. What it asks for, such as socket.data, must be JSON or binary`,
      );
      this.#absent(requester, response as Body);
    }
  }

  frame(from: string, type: FrameType, body: unknown): void {
    const { nsp, data } = body as Body;
    const adapter = this.#adapters.get(nsp);
    if (type === FrameType.MESSAGE) {
      const message = body as ClusterMessage;
      if (adapter) adapter.receive(message);
      else if (data?.requestId !== undefined) this.#nobody(from, message, data.requestId);
    } else if (type === FrameType.RESPONSE) adapter?.answered(from, body as ClusterResponse);
    else if (type === FrameType.ABSENT) adapter?.lost(from, data?.requestId);
  }

  broadcast(target: unknown, packet: Encoded): void {
    this.#adapters.get((target as Target).nsp)?.deliver(target as Target, packet);
  }

  lost(tag: string): void {
    for (const adapter of this.#adapters.values()) adapter.lost(tag);
  }

  /** A namespace that only others have: who asks must not wait for this worker. */
  #nobody(from: string, { nsp, type }: ClusterMessage, requestId: string): void {
    if (type === MessageType.BROADCAST) {
      const data = { requestId, clientCount: 0 };
      this.respond(from, { uid: this.tag, nsp, type: MessageType.BROADCAST_CLIENT_COUNT, data } as ClusterResponse);
    } else this.#absent(from, { nsp, data: { requestId } });
  }

  #absent(from: string, { nsp, data }: Body): void {
    this.members.send(from, encodeFrame(FrameType.ABSENT, { nsp, data: { requestId: data?.requestId } }));
  }
}
