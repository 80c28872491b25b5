// Packs the plugin, installs it into applications in a temporary directory, and runs them in separate processes.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { connected, fixture, ROOT, track } from './app';
import { freePort } from './port';
import { next, until, within } from './wait';

const MINUTE = 60_000;
/** Directories of the working tree that are not checked in. */
const NOT_COPIED = new Set(['node_modules', '.git', 'logs', 'run', 'coverage', '.tmp']);
const SOURCES = ['app.ts', 'agent.ts', 'app', 'config', 'lib'];

const children = new Set<ChildProcess>();
let temporary: string | undefined;

/** Creates a directory outside of the repository, from which its node_modules cannot be resolved. */
function makeDirectory(name: string): string {
  temporary ??= fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-packed-'));
  return fs.mkdtempSync(path.join(temporary, `${name}-`));
}

/** Kills running processes, and removes all directories. */
export function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL');
  if (temporary) fs.rmSync(temporary, { recursive: true, force: true });
}

/** Packs a copy of the working tree, because packing builds in place and built files would be loaded instead of the sources. */
export async function pack(): Promise<string> {
  const directory = makeDirectory('pack');
  const copy = path.join(directory, 'copy');
  copyTree(ROOT, copy);
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'), 'junction');
  // The output of an earlier build whose source was deleted.
  fs.writeFileSync(path.join(copy, 'lib/gone.js'), '');
  await run('npm', ['pack', '--pack-destination', directory], copy);
  const [tarball] = fs.readdirSync(directory).filter((file) => file.endsWith('.tgz'));
  assert(tarball, 'npm pack made no tarball');
  return path.join(directory, tarball);
}

/** Returns the files of a tarball, sorted. */
export async function contents(tarball: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('tar', ['-tzf', tarball]);
  return stdout.trim().split('\n').sort();
}

/** Returns the files that the build compiles. */
export function sources(): string[] {
  const all = SOURCES.flatMap((name) => {
    const file = path.join(ROOT, name);
    if (fs.statSync(file).isFile()) return [name];
    return fs.readdirSync(file, { recursive: true }).map((inner) => path.posix.join(name, String(inner)));
  });
  return all.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));
}

/** Installs packages into a directory for applications. */
export async function install(packages: string[]): Promise<string> {
  const home = makeDirectory('install');
  fs.writeFileSync(path.join(home, 'package.json'), '{ "private": true }');
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], home);
  return home;
}

/** Copies a fixture application to a directory from which the installed packages are resolved. */
export function application(home: string, name: string): string {
  const baseDir = fs.mkdtempSync(path.join(home, `${name}-`));
  copyTree(fixture(name), baseDir);
  return baseDir;
}

function copyTree(from: string, to: string): void {
  const filter = (file: string) => file === from || !NOT_COPIED.has(path.basename(file));
  fs.cpSync(from, to, { recursive: true, filter });
}

/** Compiles an application in place, with the TypeScript of the repository or of the application. */
export async function compile(baseDir: string, compiler: 'ours' | 'its own' = 'ours'): Promise<void> {
  const manifest = require.resolve('typescript/package.json', { paths: [compiler === 'ours' ? ROOT : baseDir] });
  await run(process.execPath, [path.join(path.dirname(manifest), 'bin/tsc'), '-p', '.'], baseDir);
}

/** Generates the types of an application with egg-ts-helper. */
export async function generateTypes(baseDir: string): Promise<void> {
  const manifest = require.resolve('egg-ts-helper/package.json', { paths: [baseDir] });
  await run(process.execPath, [path.join(path.dirname(manifest), 'dist/bin.js')], baseDir);
}

/** Runs a command of an installed package. Returns its exit code and its output. */
export function npx(args: string[], cwd: string): Promise<[code: number, stdout: string]> {
  return new Promise((resolve) => {
    // Without the variables of this process for TypeScript and for the majors of Egg.
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    execFile('npx', ['--no', ...args], { cwd, env, timeout: MINUTE }, (err, stdout) => {
      resolve([err === null ? 0 : Number(err.code), stdout]);
    });
  });
}

/** Runs a command. If it fails, the error includes its output. */
async function run(command: string, args: string[], cwd: string): Promise<void> {
  const options = { cwd, timeout: 4 * MINUTE };
  await promisify(execFile)(command, args, options).catch((err: Error & { stdout: string }) => {
    err.message += `\n${err.stdout}`;
    throw err;
  });
}

/** Starts an application in separate processes, emits an event, checks the answer, and stops the application. */
export async function talk(baseDir: string): Promise<void> {
  const port = await freePort();
  const child = spawn(process.execPath, ['start.cjs', String(port)], {
    cwd: baseDir,
    // Without the variables of this process for TypeScript and for the majors of Egg.
    env: { PATH: process.env.PATH, EGG_HOME: baseDir, EGG_SERVER_ENV: 'prod' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const exit = next(child, 'exit', MINUTE);
  await Promise.race([ready(child), exit.then(() => assert.fail(`the application has not started:\n${output}`))]);

  const client = await connected(track(`http://127.0.0.1:${port}`, { query: { name: 'Ann' } }));
  const answer = await within('an answer', client.emitWithAck('say', 'hello'));
  assert.equal(answer, 'Ann said hello in event 1');

  const left = next(client, 'disconnect');
  child.kill('SIGTERM');
  await left;
  assert.deepEqual(await exit, [0, null], output);
  children.delete(child);
  const log = path.join(baseDir, 'logs', path.basename(baseDir).slice(0, 'packed-js'.length), 'common-error.log');
  assert.equal(fs.readFileSync(log, 'utf8'), '');
}

/** Waits for the message that Egg's master sends to its parent process when its workers listen. */
async function ready(master: ChildProcess): Promise<void> {
  let isReady = false;
  master.on('message', (message: { action?: string }) => {
    isReady ||= message.action === 'egg-ready';
  });
  await until('the application is ready', () => isReady, MINUTE);
}
