// A command of the command line tool: its arguments are one directory, which is an application of Egg, and `--json`.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { isApplication } from './source-files';

/** What a command prints, and its exit code. */
export interface Outcome {
  code: number;
  stdout?: string;
  stderr?: string;
}

interface Command {
  /** The name, for messages. */
  name: string;
  help: string;
  /**
   * @param directory - the application, as an absolute path
   * @param json - whether to print JSON
   */
  run(directory: string, json: boolean): Promise<Outcome>;
}

/** Returns a function that reads the arguments of a command and runs it. A wrong call ends with the exit code 2 and the help. */
export function command({ name, help, run }: Command): (args: string[]) => Promise<Outcome> {
  const wrongCall = (why: string): Outcome => ({ code: 2, stderr: `egg-socket.io ${name}: ${why}\n\n${help}` });
  return async (args) => {
    let parsed: ReturnType<typeof parse>;
    try {
      parsed = parse(args);
    } catch (err) {
      return wrongCall((err as Error).message);
    }
    const { values, positionals } = parsed;
    if (values.help) return { code: 0, stdout: help };
    if (positionals.length > 1) return wrongCall(`one directory, not ${positionals.length}`);
    const directory = path.resolve(positionals[0] ?? '.');
    if (!fs.existsSync(directory)) return wrongCall(`${directory} does not exist`);
    if (isApplication(directory)) return run(directory, values.json === true);
    return wrongCall(
      `${directory} is not an application of Egg: it has neither a directory app nor a directory config`,
    );
  };
}

function parse(args: string[]) {
  const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
  return parseArgs({ args, options, allowPositionals: true });
}
