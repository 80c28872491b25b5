// The directory in which workers find each other.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RunDirectory, sweep } from '../lib/workers/run-directory';
import { isTag, makeSid, makeTag, tagOf } from '../lib/workers/session-id';

describe('the directory of the workers', () => {
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
    const tag = makeTag();
    for (const kind of ['door', 'link'] as const) {
      const server = createServer();
      servers.push(server);
      await directory.listen(server, tag, kind);
    }
    return tag;
  }

  const mode = (file: string) => statSync(file).mode & 0o777;

  it('should be for its user alone, whatever it was', async () => {
    const directory = new RunDirectory(rundir, 7);
    mkdirSync(directory.path);
    chmodSync(directory.path, 0o777);
    const tag = await worker(directory);
    assert.equal(mode(directory.path), 0o700);
    for (const kind of ['door', 'link'] as const) assert.equal(mode(directory.address(tag, kind)), 0o600);
    assert.deepEqual(readdirSync(directory.path).sort(), [`${tag}.door`, `${tag}.link`]);
    const socket = connect(directory.address(tag, 'link'));
    await once(socket, 'connect');
    socket.destroy();
  });

  it('should refuse a path that is no directory of its user', async () => {
    const directory = new RunDirectory(rundir, 7);
    writeFileSync(directory.path, '');
    await assert.rejects(worker(directory), /EEXIST|not a directory of this user/);
  });

  it('should list workers, and go with the last one', async () => {
    const directory = new RunDirectory(rundir, 7);
    assert.deepEqual(directory.tags('link'), []);
    const tags = [await worker(directory), await worker(directory)];
    writeFileSync(path.join(directory.path, 'no-tag-at-all.link'), '');
    assert.deepEqual(directory.tags('link').sort(), tags.sort());
    rmSync(path.join(directory.path, 'no-tag-at-all.link'));
    directory.remove(tags[0]!);
    assert.deepEqual(directory.tags('link'), [tags[1]]);
    directory.remove(tags[1]!);
    assert(!existsSync(directory.path));
  });

  it('should keep masters apart', () => {
    assert.notEqual(new RunDirectory(rundir, 1).path, new RunDirectory(rundir, 2).path);
  });

  it('should be in the system’s directory for temporary files where the path is too long for a socket', async () => {
    const deep = path.join(rundir, 'x'.repeat(90));
    mkdirSync(deep);
    const directory = new RunDirectory(deep, 7);
    assert.equal(path.dirname(directory.path), tmpdir());
    assert.notEqual(directory.path, new RunDirectory(`${deep}y`, 7).path);
    const tag = await worker(directory);
    assert.equal(mode(directory.path), 0o700);
    directory.remove(tag);
    assert(!existsSync(directory.path));
  });

  it('should be swept of what killed workers have left, and of nothing else', async () => {
    const dead = new RunDirectory(rundir, 1);
    const alive = new RunDirectory(rundir, 2);
    const tag = makeTag();
    const file = path.join(rundir, 'child.cjs');
    writeFileSync(file, "require('node:net').createServer().listen(process.argv[2], () => process.send('ready'))");
    mkdirSync(dead.path, { recursive: true });
    const child = fork(file, [dead.address(tag, 'link')]);
    await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const living = await worker(alive);
    assert(existsSync(dead.address(tag, 'link')));

    await sweep(rundir);

    assert(!existsSync(dead.address(tag, 'link')));
    assert.deepEqual(alive.tags('link'), [living]);
    assert(existsSync(alive.address(living, 'door')));
  });
});

describe('the tag of a worker', () => {
  it('should be in its session ids, with 128 random bits behind it', () => {
    const tag = makeTag();
    assert(isTag(tag));
    const sids = Array.from({ length: 1000 }, () => makeSid(tag));
    assert.equal(new Set(sids.map((sid) => sid.slice(tag.length))).size, 1000);
    for (const sid of sids) {
      assert.equal(tagOf(sid), tag);
      assert.equal(Buffer.from(sid.slice(tag.length), 'base64url').length * 8, 128);
    }
  });

  it('should be found in nothing else', () => {
    const sid = makeSid(makeTag());
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
      assert.equal(tagOf(other), undefined, String(other));
    }
    assert(!isTag('../../..'));
  });
});
