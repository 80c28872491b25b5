// A command of the command line tool: its arguments are one directory, which is an application of Egg, and the format of its output.
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

interface Command<F extends string> {
  /** The name, for messages. */
  name: string;
  help: string;
  /** The formats of the output that an option chooses: `--json`. */
  formats: readonly F[];
  /**
   * @param directory - the application, as an absolute path
   * @param format - undefined for a text for people
   */
  run(directory: string, format: F | undefined): Promise<Outcome>;
}

/** Returns a function that reads the arguments of a command and runs it. A wrong call ends with the exit code 2 and the help. */
export function command<F extends string>({
  name,
  help,
  formats,
  run,
}: Command<F>): (args: string[]) => Promise<Outcome> {
  const wrongCall = (why: string): Outcome => ({ code: 2, stderr: `egg-socket.io ${name}: ${why}\n\n${help}` });
  return async (args) => {
    let parsed: ReturnType<typeof parse>;
    try {
      parsed = parse(args, formats);
    } catch (err) {
      return wrongCall((err as Error).message);
    }
    const { values, positionals } = parsed;
    if (values.help) return { code: 0, stdout: help };
    const chosen = formats.filter((format) => format in values);
    if (chosen.length > 1) return wrongCall(`one format, not ${chosen.length}`);
    if (positionals.length > 1) return wrongCall(`one directory, not ${positionals.length}`);
    const directory = path.resolve(positionals[0] ?? '.');
    if (!fs.existsSync(directory)) return wrongCall(`${directory} does not exist`);
    if (isApplication(directory)) return run(directory, chosen[0]);
    return wrongCall(
      `${directory} is not an application of Egg: it has neither a directory app nor a directory config`,
    );
  };
}

function parse(args: string[], formats: readonly string[]) {
  const flag = { type: 'boolean' } as const;
  const options = { ...Object.fromEntries(formats.map((format) => [format, flag])), help: { ...flag, short: 'h' } };
  return parseArgs({ args, options, allowPositionals: true });
}
