// The links between workers, in one process.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeFrame, type FrameType } from '../lib/adapters/frame';
import { Links } from '../lib/adapters/links';
import { createWorkerId, RunDirectory } from '../lib/workers/run-directory';
import { mm } from './support/app';
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

  async function join(): Promise<{ links: Links; received: unknown[]; lost: string[] }> {
    const links = new Links({ workerId: createWorkerId(), directory: new RunDirectory(rundir, 1) }, log, { warn() {} });
    const received: unknown[] = [];
    const lost: string[] = [];
    workers.push(links);
    await links.join({
      frame: (_from: string, _type: FrameType, body: unknown) => received.push(body),
      broadcast() {},
      lost: (peerId) => lost.push(peerId),
    });
    return { links, received, lost };
  }

  it('should be up in both directions when a worker has joined', async () => {
    const { links: first } = await join();
    const { received } = await join();
    assert.equal(first.peerCount, 1);
    first.publish(encodeFrame(1, ['for all']));
    await until('the frame has arrived', () => received.length === 1);
    assert.deepEqual(received, [['for all']]);
  });

  it('should link workers that start while the sockets of others are removed, and those that have lost each other', async () => {
    mm(RunDirectory, 'checkInterval', 100);
    const opened = new Map<string, Socket>();
    const { connect } = net;
    mm(net, 'connect', (address: string) => {
      const socket = connect(address);
      opened.set(address, socket);
      return socket;
    });
    const [first, second] = [await join(), await join()];
    const { directory, workerId } = second.links.worker;
    rmSync(directory.path, { recursive: true });
    // The first worker connects again, and finds no socket.
    opened.get(directory.address(workerId, 'link'))?.destroy();
    await until('the link is lost', () => first.lost.length > 0);
    const third = await join();
    const all = [first, second, third];
    await until('all are linked', () => all.every(({ links }) => links.peerCount === 2));
    for (const { links } of all) links.publish(encodeFrame(1, [links.worker.workerId]));
    await until('all frames have arrived', () => all.every(({ received }) => received.length === 2));
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
