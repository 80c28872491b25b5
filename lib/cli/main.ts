#!/usr/bin/env node
// The command line tool: `npx egg-socket.io <command>`.
import type { Outcome } from './command';

interface Command {
  about: string;
  load(): (args: string[]) => Promise<Outcome>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  describe: {
    about: 'prints the events of an application with their arguments: a table, JSON, AsyncAPI or types for clients',
    load: () => (require('./describe') as typeof import('./describe')).describe,
  },
  doctor: {
    about: 'lists what an application written for egg-socket.io 4 has to change',
    load: () => (require('./doctor') as typeof import('./doctor')).doctor,
  },
  routes: {
    about: 'prints the namespaces of an application, their middleware, events and controllers',
    load: () => (require('./routes') as typeof import('./routes')).routes,
  },
};

const HELP = `Usage: egg-socket.io <command>

${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  .join('\n')}

egg-socket.io <command> --help describes a command.
`;

/** Runs the command that the arguments name. */
async function main([name, ...args]: string[]): Promise<Outcome> {
  if (name === '--help' || name === '-h' || name === 'help') return { code: 0, stdout: HELP };
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command)
    return { code: 2, stderr: `egg-socket.io: ${name ? `unknown command ${name}` : 'no command'}\n\n${HELP}` };
  return command.load()(args);
}

main(process.argv.slice(2)).then(
  ({ code, stdout, stderr }) => {
    // process.exit() would cut the output to a pipe.
    process.exitCode = code;
    if (stderr) process.stderr.write(stderr);
    if (stdout) process.stdout.write(stdout);
  },
  (err: unknown) => {
    console.error(err);
    process.exitCode = 2;
  },
);
