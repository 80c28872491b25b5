// The ports of the tests themselves.
import assert from 'node:assert/strict';
import { claimBlock, freePort, isFree } from './support/port';

describe('the ports of tests', () => {
  it('should be in a block that no other process gets', async () => {
    const own = await freePort();
    const blocks = [await claimBlock(), await claimBlock()];
    assert.equal(new Set(blocks).size, 2);
    for (const first of blocks) {
      assert(own < first || own >= first + 500, `${own} is in the block from ${first}`);
      assert.equal(await isFree(first), false);
    }
  });

  it('should be different, although none of them is used yet', async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
    assert.equal(new Set(ports).size, 20);
    for (const port of ports) assert(await isFree(port));
  });
});
