// Workers that find each other, without processes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encodeFrame, type FrameType } from '../lib/adapters/frame';
import { Membership } from '../lib/adapters/links';
import { RunDirectory } from '../lib/workers/run-directory';
import { makeTag } from '../lib/workers/session-id';
import { until } from './support/wait';

const log = { error: (err: unknown) => assert.fail(String(err)), warn() {}, info() {} };

describe('the membership of workers', () => {
  let rundir: string;
  let members: Membership[];

  beforeEach(() => {
    rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
    members = [];
  });
  afterEach(async () => {
    await Promise.all(members.map((member) => member.leave()));
    rmSync(rundir, { recursive: true });
  });

  async function join(): Promise<{ member: Membership; heard: unknown[] }> {
    const member = new Membership(new RunDirectory(rundir, 1), makeTag(), log);
    const heard: unknown[] = [];
    members.push(member);
    await member.join({
      frame: (_from: string, _type: FrameType, body: unknown) => heard.push(body),
      broadcast() {},
      lost() {},
    });
    return { member, heard };
  }

  it('should have told the others of a worker when that takes clients', async () => {
    const { member: first } = await join();
    const { heard } = await join();
    assert.equal(first.size, 1);
    first.publish(encodeFrame(1, ['for all']));
    await until('it is there', () => heard.length === 1);
    assert.deepEqual(heard, [['for all']]);
  });

  it('should not keep a worker waiting for one that hangs', async () => {
    const { tag } = (await join()).member;
    const taken: Socket[] = [];
    // It takes the link, and says nothing.
    const server = createServer((socket) => taken.push(socket));
    await new RunDirectory(rundir, 1).listen(server, makeTag(), 'link');
    const { member } = await join();
    assert(member.tags().includes(tag));
    server.close();
    for (const socket of taken) socket.destroy();
  });
});
