// A client of a worker: what it tells that worker to do, and what it has heard.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { DEADLINE } from '../wait';

/** A property, or a call with its arguments. `{ payload: name }` is a payload of the fixture application. */
export type Step = string | [method: string, ...args: unknown[]];

/** Calls on the worker's `app.io`, or on the socket of the requesting client: see perform.js of the fixture. */
export type Chain = ['io' | 'socket', ...Step[]];

/** The result of a chain. */
export interface Outcome {
  value?: any;
  error?: string;
  responses?: any[];
}

/** Runs chains on a worker or in the agent. Chains that begin with `io` run in its namespace. */
export interface Doer {
  readonly nsp: string;
  /** Runs the chains in this order, in one turn of the event loop. */
  perform(chains: Chain[]): Promise<Outcome[]>;
  /** Returns the same for another namespace. */
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

/** The permanent rooms of a client in its namespace: the room a, the room b, both, or none. */
export const KINDS = ['a', 'b', 'ab', ''] as const;
export type Kind = (typeof KINDS)[number];

/** The event that is emitted last. When it arrives, all earlier events have arrived. */
export const LAST_WORD = 'the last word';

/** Returns the user of the n-th connection. The pattern repeats after four, so that three workers each have clients of each user. */
export function userOf(count: number): string | undefined {
  return ['ann', 'bob', 'ann', undefined][count % 4];
}

export class Client implements Doer {
  /** The events that the client has received, each with its arguments. */
  readonly heard: unknown[][] = [];
  /** The arguments of the last events that the client has received. */
  readonly words = new Set<unknown>();

  /**
   * @param label - the label of the connection
   * @param worker - the index of its worker
   * @param user - the user of the client
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

  /** Returns the rooms without that of the user, whose name is secret. */
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

  /** Runs one chain and returns its value. */
  async ask(...chain: Chain): Promise<any> {
    const [outcome] = await this.perform([chain]);
    if (outcome?.error !== undefined) throw new Error(outcome.error);
    return outcome?.value;
  }
}
