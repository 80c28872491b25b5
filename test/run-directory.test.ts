// The ids of workers, and the directory in which they have their sockets.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs, {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
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
import { mm } from './support/app';
import { next, signal, until, within } from './support/wait';

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

  describe('if sockets are removed while their worker runs', () => {
    let directory: RunDirectory;
    let warnings: string[];
    let errors: string[];

    beforeEach(() => {
      mm(RunDirectory, 'checkInterval', 5);
      [warnings, errors] = [[], []];
      const log = {
        warn: (warning: string) => void warnings.push(warning),
        error: (error: string) => void errors.push(error),
      };
      directory = new RunDirectory(rundir, 7, log);
    });

    /** Connects to a socket of a worker, and waits until its server has accepted the connection. */
    async function reach(workerId: string, kind: 'http' | 'link'): Promise<void> {
      const accepted = next(servers[kind === 'http' ? 0 : 1]!, 'connection');
      const socket = connect(directory.address(workerId, kind));
      (await accepted)[0].destroy();
      socket.destroy();
    }

    it('should create them again, and log that once', async () => {
      const workerId = await worker(directory);
      for (const remove of [
        () => rmSync(rundir, { recursive: true }),
        () => rmSync(directory.path, { recursive: true }),
        () => {
          rmSync(directory.path, { recursive: true });
          mkdirSync(directory.path);
          for (const kind of ['http', 'link']) writeFileSync(path.join(directory.path, `${workerId}.${kind}`), '');
        },
      ]) {
        remove();
        await until('the log says so', () => warnings.length > 0);
        assert.equal(warnings.length, 1);
        assert.match(
          warnings.pop()!,
          /sockets of this worker in .*egg-socket\.io-7 were removed, and are created again/,
        );
        assert.equal(mode(directory.path), 0o700);
        for (const kind of ['http', 'link'] as const) {
          assert.equal(mode(directory.address(workerId, kind)), 0o600);
          await reach(workerId, kind);
        }
      }
      assert.deepEqual([warnings, errors], [[], []]);
    });

    it('should create one that is removed, without the other', async () => {
      const workerId = await worker(directory);
      const http = statSync(directory.address(workerId, 'http')).ino;
      rmSync(directory.address(workerId, 'link'));
      await until('the log says so', () => warnings.length > 0);
      await reach(workerId, 'link');
      assert.equal(statSync(directory.address(workerId, 'http')).ino, http);
    });

    it('should log once that they cannot be created, and create them when they can', async () => {
      const workerId = await worker(directory);
      rmSync(directory.path, { recursive: true });
      writeFileSync(directory.path, '');
      await until('the log says so', () => errors.length > 0);
      assert.match(errors[0]!, /egg-socket\.io-7 were removed, and it can't create them again: EEXIST.* tries again/);
      const attempts = await calls(5);
      assert(attempts.every((each) => each === directory.path));
      rmSync(directory.path);
      await until('the log says so', () => warnings.length > 0);
      await reach(workerId, 'http');
      assert.equal(errors.length, 1);

      /** Waits for further attempts, and returns the paths of the directories that they would create. */
      async function calls(count: number): Promise<unknown[]> {
        const paths: unknown[] = [];
        const create = fs.mkdirSync;
        mm(fs, 'mkdirSync', (...args: Parameters<typeof create>) => {
          paths.push(args[0]);
          return create(...args);
        });
        await until('there were further attempts', () => paths.length >= count);
        mm(fs, 'mkdirSync', create);
        return paths;
      }
    });

    it('should not create those of a worker that has closed', async () => {
      const [one, two] = [await worker(directory), await worker(directory)];
      directory.remove(one);
      rmSync(directory.path, { recursive: true });
      await until('those of the other are created', () => warnings.length > 0);
      assert.deepEqual(readdirSync(directory.path).sort(), [`${two}.http`, `${two}.link`]);
    });
  });

  it('should name the path if its file system is full', async () => {
    mm(fs, 'mkdirSync', (file: string) => {
      throw Object.assign(new Error(`ENOSPC: no space left on device, mkdir '${file}'`), { code: 'ENOSPC' });
    });
    const directory = new RunDirectory(rundir, 7);
    await assert.rejects(worker(directory), ({ message }: Error) => {
      assert(message.includes(directory.path));
      assert.match(message, /ENOSPC.*Set config\.rundir to a directory on a local file system that is writable/);
      return true;
    });
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

  describe('on Windows, with named pipes', () => {
    const PIPE = /^\\\\\.\\pipe\\egg-socket\.io-[0-9a-f]{16}-([\w-]{8})\.(http|link)$/;
    const windows = (masterId: number, log?: ConstructorParameters<typeof RunDirectory>[2]) =>
      new RunDirectory(rundir, masterId, log, true);

    it('should have one address for each directory, worker and kind, the same in all processes', () => {
      const [one, two] = [createWorkerId(), createWorkerId()];
      const addresses = [7, 8].flatMap((masterId) =>
        [one, two].flatMap((workerId) =>
          (['http', 'link'] as const).map((kind) => {
            const address = windows(masterId).address(workerId, kind);
            assert.equal(windows(masterId).address(workerId, kind), address);
            assert.deepEqual(PIPE.exec(address)?.slice(1), [workerId, kind]);
            // The limit of Windows, whatever the length of the path.
            assert(address.length <= 256);
            return address;
          }),
        ),
      );
      assert.equal(new Set(addresses).size, 8);
      const deep = (name: string) => new RunDirectory(path.join(rundir, 'x'.repeat(200), name), 7, undefined, true);
      assert.match(deep('a').address(one, 'http'), PIPE);
      assert.notEqual(deep('a').address(one, 'http'), deep('b').address(one, 'http'));
    });

    describe('that are open', () => {
      let cwd: string;

      // On other systems the name of a pipe is that of a unix socket in the working directory.
      beforeEach(() => {
        cwd = process.cwd();
        process.chdir(rundir);
      });
      afterEach(() => process.chdir(cwd));

      it('should listen on them, and list the workers by files', async () => {
        const directory = windows(7);
        const workerId = await worker(directory);
        for (const kind of ['http', 'link'] as const) {
          const socket = connect(directory.address(workerId, kind));
          await once(socket, 'connect');
          socket.destroy();
          assert.deepEqual(directory.workerIds(kind), [workerId]);
          assert.equal(statSync(path.join(directory.path, `${workerId}.${kind}`)).size, 0);
        }
        directory.remove(workerId);
        assert(!existsSync(directory.path));
      });

      it('should create the files again if they are removed', async () => {
        mm(RunDirectory, 'checkInterval', 5);
        const warned = signal<string>();
        const directory = windows(7, { warn: warned.resolve, error: warned.resolve });
        const workerId = await worker(directory);
        rmSync(directory.path, { recursive: true });
        assert.match(await within('the warning', warned.promise), /were removed, and are created again/);
        assert.deepEqual(readdirSync(directory.path).sort(), [`${workerId}.http`, `${workerId}.link`]);
      });
    });
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
