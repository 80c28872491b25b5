// The conformance suite of adapters: broadcasts and requests of any worker reach all matching clients, in order, and no others.
import { asks } from './conformance/asks';
import { children } from './conformance/children';
import { emits } from './conformance/emits';
import { order } from './conformance/order';
import { payloadTests } from './conformance/payloads';
import { rooms } from './conformance/rooms';
import { startWorld, type World, type WorldOptions } from './conformance/world';

export function conformance(name: string, options: WorldOptions): void {
  describe(`adapter ${name}, ${options.workers} workers`, function () {
    this.timeout(90_000);
    const { unable = {} } = options;
    let current: World | undefined;
    const world = () => current as World;

    before(async () => {
      current = await startWorld(options);
    });
    after(() => current?.close());
    afterEach(() => current?.tidy());

    emits(world);
    rooms(world);
    asks(world, unable);
    payloadTests(world, unable);
    order(world, unable);
    children(world, unable);
  });
}
