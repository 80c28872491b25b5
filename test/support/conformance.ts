// What an adapter must do, whichever it is: broadcasts and requests of any worker reach all workers, in order, and no others.
// Each test/conformance-*.test.ts calls it for one adapter.
import { ADAPTERS } from './conformance/adapters';
import { agent } from './conformance/agent';
import { asks } from './conformance/asks';
import { children } from './conformance/children';
import { emits } from './conformance/emits';
import { order } from './conformance/order';
import { payloadTests } from './conformance/payloads';
import { rooms } from './conformance/rooms';
import { startWorld, type Unable, type World } from './conformance/world';

type Suite = (world: () => World, unable: Unable) => void;

const WORKER_SUITES: Suite[] = [emits, rooms, asks, payloadTests, order, children];

/** All suites for an adapter, with one application. */
export function conformance(adapter: keyof typeof ADAPTERS): void {
  suites(adapter, [...WORKER_SUITES, agent]);
}

/** What the agent emits, with one adapter. */
export function agentConformance(adapter: keyof typeof ADAPTERS): void {
  suites(adapter, [agent]);
}

function suites(adapter: keyof typeof ADAPTERS, all: Suite[]): void {
  const options = ADAPTERS[adapter];
  describe(`adapter ${adapter}, ${options.workers} workers`, () => {
    let current: World | undefined;
    const world = () => current as World;

    before(async () => {
      current = await startWorld(options);
    });
    after(() => current?.close());
    afterEach(() => current?.tidy());

    for (const suite of all) suite(world, options.unable ?? {});
  });
}
