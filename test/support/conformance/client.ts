// A client of a worker: what it tells that worker to do, and what it has heard.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { DEADLINE } from '../wait';

/** A property, or a call with its arguments. `{ payload: name }` is a payload of the fixture application. */
export type Step = string | [method: string, ...args: unknown[]];

/** What a worker does with its `app.io`, or with the socket of the client that asks: see the fixture's perform.js. */
export type Chain = ['io' | 'socket', ...Step[]];

/** What has come out of a chain. */
export interface Outcome {
  value?: any;
  error?: string;
  responses?: any[];
}

/** Does things on a worker, or in the agent: in a namespace, whose are the chains that begin at io. */
export interface Doer {
  readonly nsp: string;
  /** Does all of it in this order and in one turn of the event loop. */
  perform(chains: Chain[]): Promise<Outcome[]>;
  /** The same one in another namespace. */
  elsewhere(nsp: string): Doer;
}

export function doerIn(nsp: string, send: (chains: Chain[]) => Promise<Outcome[]>): Doer {
  const inNamespace = ([root, ...steps]: Chain): Chain =>
    root === 'io' && nsp !== '/' ? [root, ['of', nsp], ...steps] : [root, ...steps];
  return {
    nsp,
    perform: (chains) => send(chains.map(inNamespace)),
    elsewhere: (other) => doerIn(other, send),
  };
}

/** The permanent rooms of a client, in its namespace: the room a, the room b, both, none. */
export const KINDS = ['a', 'b', 'ab', ''] as const;
export type Kind = (typeof KINDS)[number];

/** The event that is sent to know that all before it has arrived. */
export const LAST_WORD = 'the last word';

/** The user whose client the connection of that number is; of four, so that each has some on each of three workers. */
export function userOf(count: number): string | undefined {
  return ['ann', 'bob', 'ann', undefined][count % 4];
}

export class Client implements Doer {
  /** The events that it has heard, each with its arguments. */
  readonly heard: unknown[][] = [];
  /** The last words that it has heard: see world.ts. */
  readonly words = new Set<unknown>();

  /**
   * @param label - of the connection
   * @param worker - the index of its worker
   * @param user - whose it is
   */
  constructor(
    readonly socket: Socket,
    readonly nsp: string,
    readonly label: string,
    readonly worker: number,
    readonly kind: Kind,
    readonly user: string | undefined,
  ) {
    socket.onAny((...event: unknown[]) => {
      if (event[0] === LAST_WORD) this.words.add(event[1]);
      else this.heard.push(event.filter((arg) => typeof arg !== 'function'));
    });
    socket.on('who', (ack) => ack(label));
    socket.on('who but', (silent, ack) => label !== silent && ack(label));
    socket.on('echo', (arg, ack) => ack(arg));
  }

  get name(): string {
    return `${this.label} of worker ${this.worker} in ${this.nsp}, room "${this.kind}"`;
  }

  get id(): string {
    return this.socket.id as string;
  }

  /** Its rooms without that of its user, whose name nobody knows. */
  without(rooms: Array<string | number>): Array<string | number> {
    const others = rooms.filter((room) => !String(room).startsWith('egg-socket.io:user:'));
    assert.equal(rooms.length - others.length, this.user === undefined ? 0 : 1);
    return others;
  }

  is(kind: 'a' | 'b'): boolean {
    return this.kind.includes(kind);
  }

  perform(chains: Chain[]): Promise<Outcome[]> {
    return this.elsewhere(this.nsp).perform(chains);
  }

  elsewhere(nsp: string): Doer {
    return doerIn(nsp, (chains) => this.socket.timeout(DEADLINE).emitWithAck('do', chains));
  }

  /** As `perform`, of one chain: its value. */
  async ask(...chain: Chain): Promise<any> {
    const [outcome] = await this.perform([chain]);
    if (outcome?.error !== undefined) throw new Error(outcome.error);
    return outcome?.value;
  }
}
