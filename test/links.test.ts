// The links between workers, in one process.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeFrame, type FrameType } from '../lib/adapters/frame';
import { Links } from '../lib/adapters/links';
import { createWorkerId, RunDirectory } from '../lib/workers/run-directory';
import { until } from './support/wait';

const log = { error: (err: unknown) => assert.fail(String(err)), warn() {} };

describe('the links of a worker', () => {
  let rundir: string;
  let workers: Links[];

  beforeEach(() => {
    rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
    workers = [];
  });
  afterEach(async () => {
    await Promise.all(workers.map((links) => links.leave()));
    rmSync(rundir, { recursive: true });
  });

  async function join(): Promise<{ links: Links; received: unknown[] }> {
    const links = new Links({ workerId: createWorkerId(), directory: new RunDirectory(rundir, 1) }, log);
    const received: unknown[] = [];
    workers.push(links);
    await links.join({
      frame: (_from: string, _type: FrameType, body: unknown) => received.push(body),
      broadcast() {},
      lost() {},
    });
    return { links, received };
  }

  it('should be up in both directions when a worker has joined', async () => {
    const { links: first } = await join();
    const { received } = await join();
    assert.equal(first.peerCount, 1);
    first.publish(encodeFrame(1, ['for all']));
    await until('the frame has arrived', () => received.length === 1);
    assert.deepEqual(received, [['for all']]);
  });

  it('should not wait for a peer that hangs', async () => {
    const { workerId } = (await join()).links.worker;
    const accepted: Socket[] = [];
    // It accepts connections and sends nothing.
    const server = createServer((socket) => accepted.push(socket));
    await new RunDirectory(rundir, 1).listen(server, createWorkerId(), 'link');
    const { links } = await join();
    assert(links.peerIds().includes(workerId));
    server.close();
    for (const socket of accepted) socket.destroy();
  });
});
