// An application that a command of the command line tool loads, in a process of its own.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Readable as Stream } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { type Loaded, OUTPUT, type Readable } from './load-application';

/** How long the application may take to load, in ms. */
const TIMEOUT = 60_000;
/** How much of what a failed process has printed is shown, in characters. */
const MAX_SHOWN = 2_000;

/** The parts of an application's package.json that the commands read. */
interface Manifest {
  name?: string;
  version?: string;
  type?: string;
  egg?: { framework?: string };
}

/**
 * Loads an application in a process of its own, and returns what a method of its `app.io` returns.
 *
 * @param timeout - how long the application may take to load, in ms
 */
export async function readApplication<T>(directory: string, what: Readable, timeout = TIMEOUT): Promise<Loaded<T>> {
  return load<T>(directory, what, timeout).catch((err: Error) => ({ error: err.message }));
}

/** @throws {Error} if the process ends without a result */
async function load<T>(directory: string, what: Readable, timeout: number): Promise<Loaded<T>> {
  const manifest = readManifest(directory);
  const isModule = manifest.type === 'module';
  const { env, loaderArguments } = typescriptOf(directory, isModule);
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      ...loaderArguments,
      ...scriptFor(directory, what, manifest.egg?.framework ?? 'egg', isModule),
    ],
    {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      timeout,
      // The application may handle SIGTERM.
      killSignal: 'SIGKILL',
    },
  );
  const [stdout, stderr, result] = [1, 2, OUTPUT].map((fd) => read(child.stdio[fd] as Stream));
  const end = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve(signal === null ? `exit code ${code}` : signal + (child.killed ? ` after ${timeout / 1000} s` : '')),
    );
  });
  if (result?.()) return JSON.parse(result());
  const printed = `${stdout?.()}\n${stderr?.()}`.trim().slice(-MAX_SHOWN);
  throw new Error(`its process has ended with ${end}\n${printed}`);
}

/** Returns a function that returns what a stream has received. */
function read(stream: Stream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  return () => text;
}

export function readManifest(directory: string): Manifest {
  try {
    return JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
  } catch {
    return {};
  }
}

/** Returns the arguments that make Node load the framework as the application does, from the directory of the application. */
function scriptFor(directory: string, what: Readable, framework: string, isModule: boolean): string[] {
  const file = require.resolve('./load-application');
  const given = JSON.stringify(framework);
  const baseDir = JSON.stringify(directory);
  if (!isModule) {
    return ['--eval', `require(${JSON.stringify(file)}).print(require(${given}), ${baseDir}, '${what}')`];
  }
  const script = `import * as framework from ${given};
import loader from ${JSON.stringify(pathToFileURL(file))};
loader.print(framework, ${baseDir}, '${what}');`;
  return ['--input-type=module', '--eval', script];
}

/** What Node needs to load TypeScript. */
interface Loader {
  env: NodeJS.ProcessEnv;
  loaderArguments: string[];
}

/**
 * Returns what Node needs for an application in TypeScript that is not compiled.
 *
 * @throws {Error} if there is no loader
 */
function typescriptOf(directory: string, isModule: boolean): Loader {
  const none = { env: {}, loaderArguments: [] };
  if (!isTypeScript(directory)) return none;
  const env = { EGG_TYPESCRIPT: 'true', TS_NODE_TRANSPILE_ONLY: 'true', TS_NODE_FILES: 'true' };
  // A loader that this process was started with, or that NODE_OPTIONS name, is inherited.
  if (require.extensions['.ts'] && !isModule) return { env, loaderArguments: [] };
  const tsx = resolveLoader(directory, 'tsx');
  const tsNode = resolveLoader(directory, 'ts-node/register');
  if (tsx && (isModule || !tsNode)) return { env, loaderArguments: ['--import', pathToFileURL(tsx).href] };
  if (tsNode && isModule) {
    const esm = JSON.stringify(pathToFileURL(resolveLoader(directory, 'ts-node/esm') as string));
    const register = `import { register } from 'node:module'; register(${esm}, 'file:///');`;
    const imported = `data:text/javascript,${encodeURIComponent(register)}`;
    return { env, loaderArguments: ['--no-warnings', '--require', tsNode, '--import', imported] };
  }
  if (tsNode) return { env, loaderArguments: ['--require', tsNode] };
  throw new Error(
    'it is written in TypeScript, and no loader is installed: run npm install --save-dev tsx, or compile it by npx tsc',
  );
}

/** Whether the configuration or the routes exist in TypeScript alone. */
function isTypeScript(directory: string): boolean {
  return ['config/config.default', 'config/plugin', 'app/router'].some((name) => {
    const has = (extension: string) => fs.existsSync(path.join(directory, name + extension));
    return has('.ts') && !has('.js');
  });
}

/** Returns the file of a loader that the application has, or that its egg-bin has. */
function resolveLoader(directory: string, name: string): string | undefined {
  const here = path.join(directory, 'package.json');
  for (const bin of [undefined, 'egg-bin', '@eggjs/bin']) {
    try {
      const from = bin ? createRequire(here).resolve(`${bin}/package.json`) : here;
      return createRequire(from).resolve(name);
    } catch {
      // It is not installed there.
    }
  }
  return undefined;
}
