// A fuzzer: hostile clients perform generated sequences of valid and broken requests, frames and packets. Workers must live, answer other
// clients, log little, and free what the hostile clients have used.
//   FUZZ_SECONDS=600 EGG_MAJOR=4 npm test -- test/fuzz.test.ts    each test takes ten minutes, with a random seed
//   FUZZ_SEED=42                                                  with the seed that a failure has printed
import assert from 'node:assert/strict';
import { debuglog, inspect } from 'node:util';
import fc from 'fast-check';
import type { Socket } from 'socket.io-client';
import { ChildNamespaces } from '../lib/namespaces/child-namespaces';
import { EGG_MAJOR, mm, start, track } from './support/app';
import { startCluster } from './support/cluster';
import { HostileClient } from './support/fuzz-client';
import { burst, type Hostile } from './support/fuzz-steps';
import { until, within } from './support/wait';

const debug = debuglog('egg-socket.io:fuzz');

/** How long each test generates bursts. 0: a fixed number of bursts, with a fixed seed, another one for each major of Egg. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 0);
const SEED = Number(process.env.FUZZ_SEED ?? (SECONDS > 0 ? Date.now() % 2 ** 31 : 20_261_120 + EGG_MAJOR));
/** How long a failing sequence is shrunk, in ms. */
const SHRINKING = 180_000;
/** How many bursts fill caches before the heap is measured. */
const WARM_UP = 20;
/** After how many ms an idle child namespace is removed. */
const IDLE_TIMEOUT = 100;
const LONG = { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: SECONDS * 1_000 };

/** What the route `worker` of the fixture returns. */
interface WorkerState {
  pid: number;
  connections: number;
  namespaces: string[];
  chains: number;
  handlers: number;
  timers: number;
  heap: number;
  lines: number;
  characters: number;
  last: string[];
  rejections: string[];
}

/** A running application. */
interface Running {
  port: number;
  close(): Promise<void>;
}

/**
 * How much more a worker may have after the bursts of a test than after the first ones: bytes of heap, timers, and log lines and their
 * characters in each minute that has begun, since the log sums up repeats each minute.
 */
const ALLOWED = { heap: 20_000_000, timers: 10, lines: 100, characters: 50_000 };

describe('hostile clients that act at random', function () {
  this.timeout(SECONDS * 1_000 + SHRINKING + 300_000);

  it('should not harm one worker', async () => {
    mm.consoleLevel('NONE');
    mm(ChildNamespaces, 'idleTimeout', IDLE_TIMEOUT);
    await fuzz(1, 75, async () => {
      const { port, close } = await start('fuzz');
      return { port, close };
    });
  });

  it('should not harm three workers', async () => {
    await fuzz(3, 30, async () => {
      const env = { FUZZ_IDLE_TIMEOUT: String(IDLE_TIMEOUT) };
      const { url, close } = await startCluster('fuzz', { workers: 3 }, env);
      return { port: Number(new URL(url).port), close };
    });
  });
});

/** Runs bursts against an application of so many workers, until one does harm. A failing burst is shrunk. */
async function fuzz(workers: number, runs: number, open: () => Promise<Running>): Promise<void> {
  const uncaught = new Uncaught();
  let target: Target | undefined;
  let failedAt = 0;
  const attack = async (hostiles: Hostile[]) => {
    if (failedAt > 0 && Date.now() > failedAt + SHRINKING) return;
    try {
      target ??= await Target.begin(await open(), workers);
      await target.attack(hostiles);
      assert.deepEqual(uncaught.errors, [], 'errors that nothing has caught');
    } catch (err) {
      failedAt ||= Date.now();
      uncaught.errors.length = 0;
      await target?.end();
      target = undefined;
      throw err;
    }
  };
  const check = async (parameters: fc.Parameters<[Hostile[]]>) => {
    let running: Promise<void> | undefined;
    const property = fc.asyncProperty(burst, (hostiles) => {
      running = attack(hostiles);
      return running;
    });
    const result = await fc.check(property, parameters);
    if (result.failed) assert.fail(report(result));
    // The time limit interrupts a burst.
    await running;
  };
  try {
    await check({ seed: SEED + 1, numRuns: WARM_UP });
    const before = await (target as Target | undefined)?.settled();
    const since = performance.now();
    await check({ seed: SEED, ...(SECONDS > 0 ? LONG : { numRuns: runs }) });
    const after = await (target as Target | undefined)?.settled();
    debug(
      '%o',
      [before, after].map((each) => withoutLog(each ?? [])),
    );
    const minutes = Math.ceil((performance.now() - since) / 60_000);
    for (const [i, state] of before?.entries() ?? []) assertBack(state, after?.[i] as WorkerState, minutes);
  } catch (err) {
    throw new Error(`FUZZ_SEED=${SEED}: ${(err as Error).message}`);
  } finally {
    uncaught.stop();
    await target?.end();
  }
}

function report({ counterexample, errorInstance, numShrinks }: fc.RunDetails<[Hostile[]]>): string {
  const clients = inspect(counterexample?.[0], { depth: 10, maxStringLength: 300, maxArrayLength: 20 });
  const error = errorInstance instanceof Error ? errorInstance.stack : String(errorInstance);
  return `after ${numShrinks} shrinks:\n${clients}\n${error}`;
}

/** Asserts that a worker has kept nothing of its hostile clients, and has logged little. */
function assertBack(before: WorkerState, after: WorkerState, minutes: number): void {
  assert.equal(after.pid, before.pid);
  for (const key of ['heap', 'lines', 'characters'] as const) {
    const grown = after[key] - before[key];
    assert(
      grown < ALLOWED[key] * (key === 'heap' ? 1 : minutes),
      `${key} has grown by ${grown}. Last log lines:\n${after.last.join('\n')}`,
    );
  }
}

/** An application under attack, with a well-behaved client of each of its workers. */
class Target {
  readonly #bystanders = new Map<number, Socket>();
  /** The states of the workers before the attack. */
  #before: WorkerState[] = [];

  private constructor(private readonly app: Running) {}

  static async begin(app: Running, workers: number): Promise<Target> {
    const target = new Target(app);
    try {
      await target.#connectBystanders(workers);
      target.#before = await target.#states();
      return target;
    } catch (err) {
      await target.end();
      throw err;
    }
  }

  /** Runs the steps of hostile clients at once, and proves that the workers are not harmed. */
  async attack(hostiles: Hostile[]): Promise<void> {
    const sessions: string[] = [];
    const turn = () => this.#turn();
    const clients = hostiles.map((each) => new HostileClient(this.app.port, each, turn, sessions));
    try {
      await Promise.all([turn(), ...clients.map((each) => each.run())]);
      await turn();
      await turn();
    } finally {
      for (const each of clients) each.close();
    }
    const newcomer = this.#client('/');
    try {
      await admitted(newcomer);
      assert.deepEqual(await ask(newcomer, 'echo', 1), [1]);
    } finally {
      newcomer.disconnect();
    }
    for (const { rejections } of await this.#states()) assert.deepEqual(rejections, []);
  }

  /** Waits until only the bystanders are left, and returns the states of the workers. */
  async settled(): Promise<WorkerState[]> {
    let states: WorkerState[] = [];
    const isSettled = ({ connections, namespaces, chains, handlers, timers }: WorkerState, i: number) => {
      const before = this.#before[i] as WorkerState;
      return (
        connections === 1 &&
        namespaces.length === before.namespaces.length &&
        chains === before.chains &&
        handlers === before.handlers &&
        timers <= before.timers + ALLOWED.timers
      );
    };
    try {
      await until('the connections, namespaces and timers of hostile clients are gone', async () => {
        states = await this.#states();
        return states.every(isSettled);
      });
    } catch (err) {
      throw new Error(`${(err as Error).message}: ${inspect([this.#before, states].map(withoutLog), { depth: 5 })}`);
    }
    return this.#states(true);
  }

  async end(): Promise<void> {
    for (const bystander of this.#bystanders.values()) bystander.disconnect();
    await this.app.close();
  }

  /** Resolves when all workers have answered: by then they have handled what they had received. */
  async #turn(): Promise<void> {
    const pids = await Promise.all(Array.from(this.#bystanders.values(), (each) => ask(each, 'turn')));
    assert.deepEqual(pids, [...this.#bystanders.keys()]);
  }

  #states(collects = false): Promise<WorkerState[]> {
    return Promise.all(
      Array.from(this.#bystanders.values(), (each) => ask(each, 'worker', collects) as Promise<WorkerState>),
    );
  }

  async #connectBystanders(workers: number): Promise<void> {
    await until(`a client is connected to each of ${workers} workers`, async () => {
      const client = await admitted(this.#client('/control'));
      const pid = (await ask(client, 'turn')) as number;
      if (this.#bystanders.has(pid)) client.disconnect();
      else this.#bystanders.set(pid, client);
      return this.#bystanders.size === workers;
    });
  }

  #client(namespace: string): Socket {
    return track(`http://127.0.0.1:${this.app.port}${namespace}`);
  }
}

function withoutLog(states: WorkerState[]): Omit<WorkerState, 'last'>[] {
  return states.map(({ last, ...rest }) => rest);
}

/** Waits until a client is connected. */
async function admitted(client: Socket): Promise<Socket> {
  const decided = new Promise<void>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
  });
  await within('the connection of a well-behaved client', decided);
  return client;
}

/** Returns the answer to an event. Rejects if the client is disconnected. */
async function ask(client: Socket, event: string, ...args: unknown[]): Promise<unknown> {
  let onDisconnect: ((reason: string) => void) | undefined;
  const lost = new Promise<never>((_resolve, reject) => {
    onDisconnect = (reason) => reject(new Error(`a well-behaved client was disconnected: ${reason}`));
    client.on('disconnect', onDisconnect);
    if (client.disconnected) onDisconnect('before it asked');
  });
  try {
    const answer = await Promise.race([within(`the answer to ${event}`, client.emitWithAck(event, ...args)), lost]);
    assert(!answer?.error, answer?.error?.message);
    return answer;
  } finally {
    client.off('disconnect', onDisconnect);
  }
}

/** Errors that nothing has caught. Mocha would end the test at the first one. */
class Uncaught {
  readonly errors: string[] = [];
  readonly #others = process.listeners('uncaughtException');
  readonly #add = (err: unknown) => this.errors.push(err instanceof Error ? (err.stack as string) : String(err));

  constructor() {
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', this.#add);
  }

  stop(): void {
    process.off('uncaughtException', this.#add);
    for (const other of this.#others) process.on('uncaughtException', other);
  }
}
