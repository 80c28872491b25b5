// What a worker loads at its start: Socket.IO, koa-compose and the plugin's own files. Everything else is loaded if it is configured.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { ROOT } from './support/app';

const REGISTER = path.join(__dirname, 'support/register.cjs');

/** Returns the modules that a new process has loaded after it has required a file. */
function modulesOf(file: string): string[] {
  const script = `require(${JSON.stringify(file)}); console.log(JSON.stringify(Object.keys(require.cache)))`;
  const output = execFileSync(process.execPath, ['--require', REGISTER, '--eval', script], { encoding: 'utf8' });
  return JSON.parse(output);
}

describe('requiring app.ts', () => {
  it('should load no package beside those of socket.io but koa-compose', () => {
    // Of two processes the first one may compile files, which loads the compiler.
    modulesOf(path.join(ROOT, 'app.ts'));
    const expected = new Set(modulesOf(require.resolve('socket.io')));
    const more = modulesOf(path.join(ROOT, 'app.ts')).filter((file) => !expected.has(file));
    const packages = more.flatMap((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
    assert.deepEqual([...new Set(packages)], ['koa-compose']);
  });

  it('should load no file for Redis, for links between workers, for forwarding, for tests, for OpenTelemetry, for presence or for the command line', () => {
    const own = modulesOf(path.join(ROOT, 'app.ts')).filter((file) => file.startsWith(path.join(ROOT, 'lib')));
    const names = own.map((file) => path.relative(path.join(ROOT, 'lib'), file));
    assert(names.includes('boot.ts'), names.join());
    const forbidden =
      /^(adapters\/(redis|link)|workers\/(forwarding|proxy|internal-server)|testkit|agent\/io|telemetry|cli\/|presence\/(?!loader))/;
    assert.deepEqual(
      names.filter((name) => forbidden.test(name)),
      [],
    );
  });
});
