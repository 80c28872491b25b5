// The ids of workers, and the directory in which they have their sockets.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createSessionId,
  createWorkerId,
  isWorkerId,
  RunDirectory,
  removeDeadWorkers,
  workerIdOf,
} from '../lib/workers/run-directory';

describe('the run directory', () => {
  let rundir: string;
  const servers: Server[] = [];

  beforeEach(() => {
    rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    rmSync(rundir, { recursive: true, force: true });
  });

  async function worker(directory: RunDirectory): Promise<string> {
    const workerId = createWorkerId();
    for (const kind of ['http', 'link'] as const) {
      const server = createServer();
      servers.push(server);
      await directory.listen(server, workerId, kind);
    }
    return workerId;
  }

  const mode = (file: string) => statSync(file).mode & 0o777;

  it('should have the permissions of its user alone, even if it existed with others', async () => {
    const directory = new RunDirectory(rundir, 7);
    mkdirSync(directory.path);
    chmodSync(directory.path, 0o777);
    const workerId = await worker(directory);
    assert.equal(mode(directory.path), 0o700);
    for (const kind of ['http', 'link'] as const) assert.equal(mode(directory.address(workerId, kind)), 0o600);
    assert.deepEqual(readdirSync(directory.path).sort(), [`${workerId}.http`, `${workerId}.link`]);
    const socket = connect(directory.address(workerId, 'link'));
    await once(socket, 'connect');
    socket.destroy();
  });

  it('should refuse a path that is not a directory of its user', async () => {
    const directory = new RunDirectory(rundir, 7);
    writeFileSync(directory.path, '');
    await assert.rejects(worker(directory), /EEXIST|not a directory of this user/);
  });

  it('should list the workers, and be removed with the last one', async () => {
    const directory = new RunDirectory(rundir, 7);
    assert.deepEqual(directory.workerIds('link'), []);
    const workerIds = [await worker(directory), await worker(directory)];
    writeFileSync(path.join(directory.path, 'no-worker-id.link'), '');
    assert.deepEqual(directory.workerIds('link').sort(), workerIds.sort());
    rmSync(path.join(directory.path, 'no-worker-id.link'));
    directory.remove(workerIds[0]!);
    assert.deepEqual(directory.workerIds('link'), [workerIds[1]]);
    directory.remove(workerIds[1]!);
    assert(!existsSync(directory.path));
  });

  it('should differ for two masters', () => {
    assert.notEqual(new RunDirectory(rundir, 1).path, new RunDirectory(rundir, 2).path);
  });

  it('should be in the temporary directory of the system if its path is too long for a socket', async () => {
    const deep = path.join(rundir, 'x'.repeat(90));
    mkdirSync(deep);
    const directory = new RunDirectory(deep, 7);
    assert.equal(path.dirname(directory.path), tmpdir());
    assert.notEqual(directory.path, new RunDirectory(`${deep}y`, 7).path);
    const workerId = await worker(directory);
    assert.equal(mode(directory.path), 0o700);
    directory.remove(workerId);
    assert(!existsSync(directory.path));
  });

  it('should lose the sockets of killed workers, and no others', async () => {
    const dead = new RunDirectory(rundir, 1);
    const alive = new RunDirectory(rundir, 2);
    const workerId = createWorkerId();
    const file = path.join(rundir, 'child.cjs');
    writeFileSync(file, "require('node:net').createServer().listen(process.argv[2], () => process.send('ready'))");
    mkdirSync(dead.path, { recursive: true });
    const child = fork(file, [dead.address(workerId, 'link')]);
    await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const living = await worker(alive);
    assert(existsSync(dead.address(workerId, 'link')));

    await removeDeadWorkers(rundir);

    assert(!existsSync(dead.address(workerId, 'link')));
    assert.deepEqual(alive.workerIds('link'), [living]);
    assert(existsSync(alive.address(living, 'http')));
  });
});

describe('the id of a worker', () => {
  it('should be in its session ids, before 128 random bits', () => {
    const workerId = createWorkerId();
    assert(isWorkerId(workerId));
    const sids = Array.from({ length: 1000 }, () => createSessionId(workerId));
    assert.equal(new Set(sids.map((sid) => sid.slice(workerId.length))).size, 1000);
    for (const sid of sids) {
      assert.equal(workerIdOf(sid), workerId);
      assert.equal(Buffer.from(sid.slice(workerId.length), 'base64url').length * 8, 128);
    }
  });

  it('should not be found in other values', () => {
    const sid = createSessionId(createWorkerId());
    for (const other of [
      '',
      'abc',
      `${sid}x`,
      sid.slice(1),
      `../${sid.slice(3)}`,
      `${sid.slice(0, 29)}/`,
      7,
      undefined,
    ]) {
      assert.equal(workerIdOf(other), undefined, String(other));
    }
    assert(!isWorkerId('../../..'));
  });
});
