// The packed plugin on the newest Egg, on each major of Node that it supports. It is not released, so it is no dependency of the repository.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Socket } from 'socket.io-client';
import { connected, ROOT, refused, track } from '../support/app';
import {
  application,
  cleanUp,
  compile,
  installLocked,
  nodeOf,
  pack,
  runTests,
  talk,
  toCommonJs,
  withApplication,
} from '../support/packed';
import { next, within } from '../support/wait';

const NODES = [22, 24];
const APP = path.join(__dirname, 'app');
const TEGG = path.join(ROOT, 'example/tegg');
/** Node cannot strip decorators. */
const TSX = ['--import', pathToFileURL(require.resolve('tsx')).href];

describe('the newest Egg', function () {
  // npm installs packages, perhaps from the network.
  this.timeout(300_000);

  let home = '';

  before(async () => {
    home = await installLocked(__dirname, await pack());
  });

  after(cleanUp);

  const make = () => application(home, 'newest', APP);

  it('should be the version that the documentation names, and allowed by the peer dependencies', () => {
    const { version } = require(path.join(home, 'node_modules/egg/package.json'));
    for (const name of [
      'README.md',
      'README.zh-CN.md',
      'docs/en/getting-started.md',
      'docs/zh-CN/getting-started.md',
    ]) {
      const text = fs.readFileSync(path.join(__dirname, '../..', name), 'utf8');
      assert(text.includes(version), `${name} does not name Egg ${version}`);
    }
  });

  it('should have the types of the plugin', async () => {
    const baseDir = make();
    await compile(baseDir);
    fs.appendFileSync(
      path.join(baseDir, 'app/router.ts'),
      '\nexport const wrong = (app: Application) => app.io.route(5);\n',
    );
    await assert.rejects(compile(baseDir), { stdout: /app\/router\.ts.*No overload matches this call/ });
  });

  it('should compare the parameters of decorated methods with the declared events', async () => {
    const baseDir = application(home, 'tegg', TEGG);
    await compile(baseDir);
    for (const name of ['decorated.ts', 'controllers.ts']) addToModule(baseDir, name);
    await compile(baseDir);
  });

  it('should fail the boot if a decorated controller is wrong', async () => {
    const mistakes: Array<[string, RegExp]> = [
      [
        '@IoController() export class Wrong { @IoEvent("say") say(text) {} }',
        /parameter 1 of Wrong\.say needs a decorator .*allowed: @Args\(\), @Ack\(\)/,
      ],
      [
        '@IoController() export class Wrong { say(@Args(0) text) {} }',
        /Wrong\.say needs a decorator .*allowed: @IoEvent\(\)/,
      ],
      [
        '@SingletonProto() export class Wrong { @IoEvent("say") say() {} }',
        /Wrong needs a decorator .*allowed: @IoController\(\)/,
      ],
      [
        'class Guard { handle() {} }; @IoController({ connection: [Guard] }) export class Wrong {}',
        /Guard is no tegg prototype.*connection of @IoController of Wrong/,
      ],
      [
        '@Advice() class Advised {}; @IoController() export class Wrong { @IoEvent("say") @Middleware(Advised) say() {} }',
        /@Middleware\(\) of Wrong\.say is an advice of AOP/,
      ],
    ];
    const node = await nodeOf(24);
    const imports = `
      import { Middleware, SingletonProto } from 'egg';
      import { Advice } from 'egg/aop';
      import { Args, IoController, IoEvent } from 'egg-socket.io/tegg';
    `;
    const fails = async ([source, expected]: [string, RegExp]) => {
      const baseDir = application(home, 'tegg', TEGG);
      fs.writeFileSync(path.join(baseDir, 'app/modules/chat/Wrong.ts'), imports + source);
      await assert.rejects(runTests(baseDir, node, TSX), ({ message }: Error) => {
        assert.match(message, expected);
        return true;
      });
    };
    await Promise.all(mistakes.map(fails));
  });

  for (const major of NODES) {
    describe(`on Node ${major}`, () => {
      let node = '';

      before(async () => {
        node = await nodeOf(major);
      });

      it('should run an application in JavaScript', () => talk(application(home, 'packed-js'), node));

      for (const format of ['CommonJS', 'ES modules with TypeScript'] as const) {
        const makeApp = () => {
          const baseDir = make();
          if (format === 'CommonJS') toCommonJs(baseDir);
          return baseDir;
        };

        it(`should run chains, routes and sessions on two workers: ${format}`, () =>
          withApplication(makeApp(), node, converse));

        it(`should run the test kit: ${format}`, () => runTests(makeApp(), node));
      }

      // Each takes long: one of the two on each Node.
      const isCompiled = major === NODES[0];
      it(`should run the example with tegg, and other controllers: ${isCompiled ? 'CommonJS' : 'tsx'}`, () => {
        const baseDir = application(home, 'tegg', TEGG);
        addToModule(baseDir, 'controllers.ts');
        fs.copyFileSync(path.join(__dirname, 'controllers.test.ts'), path.join(baseDir, 'test/controllers.test.ts'));
        if (isCompiled) toCommonJs(baseDir);
        return runTests(baseDir, node, isCompiled ? [] : TSX);
      });
    });
  }
});

/** Adds a file of this directory to the module of example/tegg. */
function addToModule(baseDir: string, name: string): void {
  fs.copyFileSync(path.join(__dirname, name), path.join(baseDir, 'app/modules/chat', name));
}

/** Uses the application of test/newest/app with clients of both workers. Returns one of them. */
async function converse(url: string): Promise<Socket> {
  const response = await fetch(`${url}/login?user=ann`);
  assert.equal(await response.text(), 'welcome');
  const cookie = response.headers
    .getSetCookie()
    .map((each) => each.split(';', 1)[0])
    .join('; ');
  const enter = (nsp = '/') => track(url + nsp, { extraHeaders: { cookie }, forceNew: true });

  const { message } = await refused(track(url));
  assert.equal(message, 'log in first');

  const client = await connected(enter());
  const ask = (socket: Socket, ...args: [string, ...unknown[]]) => within(args[0], socket.emitWithAck(...args));
  assert.equal(await ask(client, 'say', 'hello'), 'ann said hello in event 1');
  assert.equal(await ask(client, 'say', 'bye'), 'ann said bye in event 2');

  const [params, isCurrent] = await new Promise<unknown[]>((resolve) => {
    enter('/room/5').emit('where', (...answer: unknown[]) => resolve(answer));
  });
  assert.deepEqual([params, isCurrent], [{ id: '5' }, true]);

  const worker = await ask(client, 'worker');
  const other = await within('a client of the other worker', anotherWorker(enter, worker, ask));
  const heard = next(other, 'heard');
  client.emit('shout', 'over there');
  assert.deepEqual(await heard, ['over there']);
  return client;
}

/** Connects clients until one is connected to another worker than the given one. */
async function anotherWorker(
  enter: () => Socket,
  worker: unknown,
  ask: (socket: Socket, event: string) => Promise<unknown>,
): Promise<Socket> {
  for (;;) {
    const socket = await connected(enter());
    if ((await ask(socket, 'worker')) !== worker) return socket;
    socket.disconnect();
  }
}
