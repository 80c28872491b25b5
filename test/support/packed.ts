// Packs the plugin, installs it into applications in a temporary directory, and runs them in separate processes.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { transformSync } from 'esbuild';
import type { Socket } from 'socket.io-client';
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
  children.clear();
  if (temporary) fs.rmSync(temporary, { recursive: true, force: true });
  // Another test file may run in the same process.
  temporary = undefined;
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

/** Installs the packages of a lock file, then a tarball beside them, into a directory for applications. */
export async function installLocked(manifests: string, tarball: string): Promise<string> {
  const home = makeDirectory('install');
  for (const name of ['package.json', 'package-lock.json'])
    fs.copyFileSync(path.join(manifests, name), path.join(home, name));
  await run('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund'], home);
  // Fails if the plugin's peer dependencies exclude what is installed.
  await run('npm', ['install', '--no-save', '--prefer-offline', '--no-audit', '--no-fund', tarball], home);
  return home;
}

/** Copies an application, such as one of the fixtures, to a directory from which the installed packages are resolved. */
export function application(home: string, name: string, from = fixture(name)): string {
  const baseDir = fs.mkdtempSync(path.join(home, `${name}-`));
  copyTree(from, baseDir);
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
async function run(command: string, args: string[], cwd: string, env = process.env): Promise<void> {
  const options = { cwd, env, timeout: 4 * MINUTE };
  await promisify(execFile)(command, args, options).catch((err: Error & { stdout: string }) => {
    err.message += `\n${err.stdout}`;
    throw err;
  });
}

/** Starts an application in separate processes, emits an event, checks the answer, and stops the application. */
export async function talk(baseDir: string, node = process.execPath): Promise<void> {
  await withApplication(baseDir, node, async (url) => {
    const client = await connected(track(url, { query: { name: 'Ann' } }));
    const answer = await within('an answer', client.emitWithAck('say', 'hello'));
    assert.equal(answer, 'Ann said hello in event 1');
    return client;
  });
}

/**
 * Starts an application in separate processes by its start.cjs, calls a function with its URL, and stops the application. Fails unless the
 * application disconnects a client and exits, and has logged no error.
 *
 * @param node - the executable of Node
 * @param use - returns a connected client
 */
export async function withApplication(
  baseDir: string,
  node: string,
  use: (url: string) => Promise<Socket>,
): Promise<void> {
  const port = await freePort();
  const child = spawn(node, ['start.cjs', String(port)], {
    cwd: baseDir,
    env: { ...environment(node), EGG_HOME: baseDir, EGG_SERVER_ENV: 'prod' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const exit = next(child, 'exit', MINUTE);
  await Promise.race([ready(child), exit.then(() => assert.fail(`the application has not started:\n${output}`))]);

  const client = await use(`http://127.0.0.1:${port}`);
  const left = next(client, 'disconnect');
  child.kill('SIGTERM');
  await left;
  assert.deepEqual(await exit, [0, null], output);
  children.delete(child);
  const { name } = JSON.parse(fs.readFileSync(path.join(baseDir, 'package.json'), 'utf8'));
  assert.equal(fs.readFileSync(path.join(baseDir, 'logs', name, 'common-error.log'), 'utf8'), '');
}

/** The environment of a process, without the variables of this one for TypeScript and for the majors of Egg. */
function environment(node: string): NodeJS.ProcessEnv {
  return { PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`, HOME: process.env.HOME };
}

/** Returns the executable of a major of Node, which npm downloads unless it has. */
export async function nodeOf(major: number): Promise<string> {
  const args = ['--yes', '--package', `node@${major}`, 'node', '-p', 'process.execPath'];
  const { stdout } = await promisify(execFile)('npx', args, { cwd: os.tmpdir(), timeout: 4 * MINUTE });
  return stdout.trim();
}

/**
 * Runs the tests of an application by its own mocha. If one fails, the error includes the output.
 *
 * @param options - of Node
 */
export async function runTests(baseDir: string, node: string, options: string[] = []): Promise<void> {
  const mocha = require.resolve('mocha/bin/mocha.js', { paths: [baseDir] });
  const args = [
    ...options,
    mocha,
    '--require',
    '@eggjs/mock/register',
    '--timeout',
    String(MINUTE),
    '--exit',
    'test/**/*.test.*',
  ];
  await run(node, args, baseDir, { ...environment(node), NODE_ENV: 'test' });
}

/** Replaces the files of an application in TypeScript by files of CommonJS. */
export function toCommonJs(baseDir: string): void {
  const tsconfigRaw = fs.readFileSync(path.join(baseDir, 'tsconfig.json'), 'utf8');
  for (const name of fs.readdirSync(baseDir, { recursive: true }) as string[]) {
    const source = path.join(baseDir, name);
    if (path.basename(name) === 'package.json') {
      const { type, ...manifest } = JSON.parse(fs.readFileSync(source, 'utf8'));
      assert.equal(type, 'module');
      fs.writeFileSync(source, JSON.stringify(manifest));
    }
    if (!name.endsWith('.ts')) continue;
    // For Node: import() finds the names of the exports.
    const options = { loader: 'ts', format: 'cjs', platform: 'node', tsconfigRaw } as const;
    const { code } = transformSync(fs.readFileSync(source, 'utf8'), options);
    fs.writeFileSync(source.replace(/ts$/, 'js'), code.replace(/(require\("\.[^"]*)\.ts"/g, '$1.js"'));
    fs.rmSync(source);
  }
}

/** Waits for the message that Egg's master sends to its parent process when its workers listen. */
async function ready(master: ChildProcess): Promise<void> {
  let isReady = false;
  master.on('message', (message: { action?: string }) => {
    isReady ||= message.action === 'egg-ready';
  });
  await until('the application is ready', () => isReady, MINUTE);
}
