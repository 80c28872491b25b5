// `egg-socket.io doctor`: lists what an application written for 4.1.6 has to change.
import { command } from './command';
import { type Examination, examine, type Finding } from './examine';

const HELP = `Usage: egg-socket.io doctor [directory] [--json]

Reads the server code of an application that was written for egg-socket.io 4 (app/, config/, lib/, typings/, app.js, agent.js
and package.json; JavaScript and TypeScript) and lists what to change for version 5. It changes and runs nothing.

  directory   The application. Default: the current directory.
  --json      Prints an object with directory, files, findings, errors and skipped.
  --help      Prints this text.

Exit code: 0 if there is nothing to change, 1 if there is or if a file cannot be read, 2 for a wrong call or a failure.
`;

/** The command. */
export const doctor = command({
  name: 'doctor',
  help: HELP,
  formats: ['json'],
  run: async (directory, format) => {
    const examination = await examine(directory);
    const { findings, errors } = examination;
    const stdout = format === 'json' ? `${JSON.stringify(examination, null, 2)}\n` : report(examination);
    return { code: findings.length + errors.length > 0 ? 1 : 0, stdout };
  },
});

function report(examination: Examination): string {
  const { findings, errors } = examination;
  const lines: string[] = [];
  for (const file of new Set(findings.map((finding) => finding.file))) {
    for (const finding of findings.filter((each) => each.file === file)) lines.push(...describe(finding), '');
  }
  for (const { file, line, message } of errors) lines.push(`${file}:${line}  not read: ${message}`, '');
  lines.push(summary(examination));
  return `${lines.join('\n')}\n`;
}

function describe({ file, line, found, instead, docs, compat }: Finding): string[] {
  const more = compat ? `${docs} (works with config.io.compat)` : docs;
  return [`${file}:${line}  ${found}`, `    instead: ${instead}`, `    ${more}`];
}

function summary({ findings, errors, files, skipped }: Examination): string {
  const places = findings.length > 0 ? `${count(findings.length, 'place')} to change` : 'Nothing to change';
  const parts = [`${places}, ${count(files, 'file')} read.`];
  const compat = findings.filter((finding) => finding.compat).length;
  if (compat > 0) parts.push(`${compat} of them ${compat === 1 ? 'works' : 'work'} with config.io.compat.`);
  if (errors.length > 0) parts.push(`${count(errors.length, 'file')} could not be read.`);
  if (skipped.length > 0) parts.push(`Skipped as minified or generated: ${skipped.join(', ')}.`);
  return parts.join(' ');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
