// A child process of the benchmark on a core of its own: a server or the load generator.
const { spawn, spawnSync } = require('node:child_process');
const path = require('node:path');
const { availableParallelism } = require('node:os');

const HOME = path.join(__dirname, '../build/home');

/** Returns the cores that this process may use, or undefined if `taskset` is missing. */
function cores() {
  const { stdout } = spawnSync('taskset', ['-cp', process.pid], { encoding: 'utf8' });
  const list = /: (.*)/.exec(stdout ?? '')?.[1];
  return list?.split(',').flatMap((part) => {
    const [first, last = first] = part.trim().split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

class Child {
  /**
   * Starts a process. Resolves once it has sent its first result, which is then `child.ready`.
   *
   * @param args - a file and its arguments
   * @param core - 0 for a server, 1 for the load generator
   */
  static async start(args, core) {
    const child = new Child();
    const all = cores();
    const pin = all && availableParallelism() > 1 ? ['taskset', '-c', String(all[core])] : [];
    const flags = process.env.BENCH_FLAGS?.split(' ') ?? [];
    const [command, ...rest] = [...pin, process.execPath, '--expose-gc', ...flags, ...args];
    child.name = args.map((arg) => path.basename(arg)).join(' ');
    child.process = spawn(command, rest, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production', EGG_SERVER_ENV: 'prod', EGG_HOME: HOME },
    });
    child.process.on('message', (message) => child.onMessage(message));
    child.process.on('exit', (code) => child.reject?.(new Error(`${child.name} exited with code ${code}`)));
    child.ready = await child.response();
    return child;
  }

  response() {
    return new Promise((resolve, reject) => {
      this.reject = reject;
      this.onMessage = ({ result, error }) => (error ? reject(new Error(`${this.name}: ${error}`)) : resolve(result));
    });
  }

  /** Sends a command and returns its result. One command at a time. */
  request(command, options) {
    this.process.send({ command, options });
    return this.response();
  }

  /** Ends the process by itself, so that `--cpu-prof` writes its profile. */
  async stop() {
    this.reject = undefined;
    const exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.send({ command: 'exit' });
    await exited;
  }
}

module.exports = Child;
