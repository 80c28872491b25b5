// The links between workers, in one process.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net, { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Duplex } from 'node:stream';
import type { Application } from 'egg';
import type { OutageMessage } from '../lib';
import { encodeFrame, FrameReader, FrameType } from '../lib/adapters/frame';
import { Links } from '../lib/adapters/links';
import { createWorkerId, RunDirectory } from '../lib/workers/run-directory';
import { mm } from './support/app';
import { until } from './support/wait';

const app = { coreLogger: { error: (err: unknown) => assert.fail(String(err)), warn() {} } } as unknown as Application;

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
    const links = new Links({ workerId: createWorkerId(), directory: new RunDirectory(rundir, 1) }, app);
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

  it('should link workers of which one creates its socket again while the other still tries to connect to the removed one', async () => {
    mm(RunDirectory, 'checkInterval', 50);
    const opened = new Map<string, Socket>();
    const { connect } = net;
    mm(net, 'connect', (address: string) => {
      // The attempt of the first worker ends later.
      const socket = opened.has(address) ? (new Duplex({ read() {}, write() {} }) as Socket) : connect(address);
      opened.set(address, socket);
      return socket;
    });
    const [first, second] = [await join(), await join()];
    await until('both are linked', () => first.links.peerCount === 1 && second.links.peerCount === 1);
    const { directory, workerId } = second.links.worker;
    const address = directory.address(workerId, 'link');
    const lost = opened.get(address) as Socket;
    rmSync(directory.path, { recursive: true });
    lost.destroy();
    await until('the first worker connects', () => opened.get(address) !== lost);
    await until('both have created their sockets again', () => directory.workerIds('link').length === 2);
    second.links.publish(encodeFrame(1, ['after the handshake']));
    await until('the frame has arrived', () => first.received.length === 1);

    mm(net, 'connect', connect);
    opened.get(address)?.destroy(Object.assign(new Error('connect ENOENT'), { code: 'ENOENT' }));
    await until('the first worker is linked', () => first.links.peerCount === 1);
  });

  it('should count the messages that are sent to each peer, received and lost', async () => {
    const opened = new Map<string, Socket>();
    const { connect } = net;
    mm(net, 'connect', (address: string) => {
      const socket = connect(address);
      // The first worker is the first to connect.
      if (!opened.has(address)) opened.set(address, socket);
      return socket;
    });
    const [{ links }, second, third] = [await join(), await join(), await join()];
    await until('all are linked', () => links.peerCount === 2);
    const frame = encodeFrame(1, ['counted']);
    links.publish(frame);
    links.send(second.links.worker.workerId, frame);
    links.send('nobody', frame);
    await until('all have arrived', () => second.received.length === 2 && third.received.length === 1);
    assert.deepEqual(links.messages, { sent: 3, received: 0, lost: 0 });
    assert.deepEqual(second.links.messages, { sent: 0, received: 2, lost: 0 });

    const { directory, workerId } = second.links.worker;
    const socket = opened.get(directory.address(workerId, 'link')) as Socket;
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => {
        links.publish(frame);
        resolve();
      });
    });
    socket.destroy();
    await closed;
    await until('the other one has received it', () => third.received.length === 2);
    assert.deepEqual(links.messages, { sent: 5, received: 0, lost: 1 });
    await until('the link is up again', () => links.peerCount === 2);
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

  describe('that are lost', () => {
    const NAME = `worker ${process.pid}`;
    let outages: Array<Omit<OutageMessage, 'app'>>;
    const note = (message: unknown) => {
      const { app: of, ...rest } = message as OutageMessage;
      assert.equal(of, app);
      outages.push(rest);
    };

    beforeEach(() => {
      outages = [];
      subscribe('egg-socket.io:adapter-outage', note);
    });
    afterEach(() => unsubscribe('egg-socket.io:adapter-outage', note));

    it('should not be published as outages of a worker that stops in the ordinary way', async () => {
      const [first, second] = [await join(), await join()];
      await until('both are linked', () => [first, second].every(({ links }) => links.countAnswering() === 1));
      await second.links.leave();
      await until('the peer is gone', () => first.links.peerCount === 0 && first.lost.length > 0);
      const third = await join();
      await until('the next worker is linked', () => first.links.peerCount === 1);
      third.links.publish(encodeFrame(FrameType.MESSAGE, ['later']));
      await until('a later frame has arrived', () => first.received.length > 0);
      assert.deepEqual(outages, []);
    });

    it('should be published when the connection is lost, and when it is up again', async () => {
      const opened = new Map<string, Socket>();
      const { connect } = net;
      mm(net, 'connect', (address: string) => {
        const socket = connect(address);
        opened.set(address, socket);
        return socket;
      });
      const [first, second] = [await join(), await join()];
      const { directory, workerId } = second.links.worker;
      await until('they are linked', () => first.links.countAnswering() === 1);
      opened.get(directory.address(workerId, 'link'))?.destroy();
      first.links.publish(encodeFrame(FrameType.MESSAGE, ['lost']));
      await until('the outage has ended', () => outages.length === 2);
      const [{ lost, ...up }] = outages.slice(1) as typeof outages as [OutageMessage];
      assert.deepEqual(outages[0], { name: NAME, up: false, reason: 'connection lost', lost: 0 });
      assert.deepEqual(up, { name: NAME, up: true });
      assert(lost >= 1, `${lost}`);
    });

    it('should be published when a peer does not answer, and when it answers or has stopped', async () => {
      const { links } = await join();
      const peer = await startPeer();
      await until('it is linked', () => links.countAnswering() === 1);
      peer.hang();
      await until('it is missing', () => links.countAnswering(20) === 0);
      assert.deepEqual(outages, [{ name: 'worker 4711', up: false, reason: 'no answer for 20 ms', lost: 0 }]);
      peer.answer();
      await until('the outage has ended', () => outages.length === 2);
      assert.deepEqual(outages[1], { name: 'worker 4711', up: true, lost: 0 });

      peer.hang();
      await until('it is missing again', () => links.countAnswering(20) === 0);
      peer.stop();
      await until('its outage has ended', () => outages.length === 4);
      assert.deepEqual(
        outages.map(({ up }) => up),
        [false, true, false, true],
      );
    });

    it('should not count a handshake as a lost message', async () => {
      mm(RunDirectory, 'checkInterval', 50);
      const { links } = await join();
      const peer = await startPeer();
      await until('it is linked', () => links.countAnswering() === 1);
      peer.hang();
      peer.disconnect();
      await until('the link is down', () => links.peerCount === 0);
      const { directory, workerId } = links.worker;
      const own = directory.address(workerId, 'link');
      rmSync(own);
      // It sends its handshake to all peers then.
      await until('the socket of the worker is created again', () => existsSync(own));
      links.publish(encodeFrame(FrameType.MESSAGE, ['lost']));
      assert.deepEqual(links.messages, { sent: 1, received: 0, lost: 1 });
      peer.stop();
    });

    /** A peer that answers handshakes until it hangs. */
    async function startPeer() {
      const workerId = createWorkerId();
      const accepted: Socket[] = [];
      let isHanging = false;
      let unanswered: Socket[] = [];
      const respond = (socket: Socket) => socket.write(encodeFrame(FrameType.HANDSHAKE, { workerId, pid: 4711 }));
      const server = createServer((socket) => {
        accepted.push(socket);
        const reader = new FrameReader({
          frame: () => {
            if (isHanging) unanswered.push(socket);
            else respond(socket);
          },
          failed: (err) => assert.fail(err),
        });
        socket.on('data', (chunk) => reader.read(chunk as Buffer)).on('error', () => {});
      });
      const directory = new RunDirectory(rundir, 1);
      await directory.listen(server, workerId, 'link');
      for (const { worker } of workers) {
        // Its handshake lets the workers link with it.
        const socket = net.connect(directory.address(worker.workerId, 'link'));
        accepted.push(socket);
        socket.on('error', () => {}).write(encodeFrame(FrameType.HANDSHAKE, { workerId, pid: 4711 }));
      }
      return {
        hang: () => {
          isHanging = true;
        },
        answer: () => {
          isHanging = false;
          for (const socket of unanswered) respond(socket);
          unanswered = [];
        },
        disconnect: () => {
          for (const socket of accepted) socket.destroy();
        },
        stop: () => {
          directory.remove(workerId);
          server.close();
          for (const socket of accepted) socket.destroy();
        },
      };
    }
  });
});
