// A process of the benchmark, on a core of its own: a server under test, or the load. Used by run.cjs, count.cjs and the phases.
const { spawn, spawnSync } = require('node:child_process');
const path = require('node:path');
const { availableParallelism } = require('node:os');

const HOME = path.join(__dirname, '../build/home');

/** The cores that this process may run on; null where nobody can say or choose. */
function cores() {
  const { stdout = '' } = spawnSync('taskset', ['-cp', process.pid], { encoding: 'utf8' });
  const list = /: (.*)/.exec(stdout ?? '')?.[1];
  if (!list) return null;
  return list.split(',').flatMap((part) => {
    const [first, last = first] = part.trim().split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}

class Child {
  /**
   * `core` is 0 or 1 of the cores that there are; `under` is a command that runs Node. Resolves when the process has said that it is
   * ready, with its first answer.
   */
  static async start(args, core, env = {}, under = []) {
    const child = new Child();
    const all = cores();
    const pin = all && availableParallelism() > 1 ? ['taskset', '-c', String(all[core])] : [];
    const flags = process.env.BENCH_FLAGS?.split(' ') ?? [];
    const [command, ...rest] = [...pin, ...under, process.execPath, '--expose-gc', ...flags, ...args];
    child.name = args.map((arg) => path.basename(arg)).join(' ');
    child.process = spawn(command, rest, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production', EGG_SERVER_ENV: 'prod', EGG_HOME: HOME, ...env },
    });
    child.process.on('message', (message) => child.answered(message));
    child.process.on('exit', (code) => child.failed?.(new Error(`${child.name} has ended with ${code}`)));
    child.ready = await child.answer();
    return child;
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.failed = reject;
      this.answered = ({ answer, error }) => (error ? reject(new Error(`${this.name}: ${error}`)) : resolve(answer));
    });
  }

  /** One question at a time. */
  ask(ask, options) {
    this.process.send({ ask, options });
    return this.answer();
  }

  async stop() {
    this.failed = undefined;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.send({ ask: 'exit' });
    await ended;
  }
}

module.exports = Child;
