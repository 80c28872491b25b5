// `npm test`: type tests, then all tests on Egg 3 and on Egg 4, one after the other. It ends with the counts of both.
//   npm test -- test/redis.test.ts    runs these files only, without the type tests
//   EGG_MAJOR=3 npm test              runs on one major only
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const clean = require('./clean.cjs');
const mocharc = require('./.mocharc.cjs');

const ROOT = path.resolve(__dirname, '..');
/** What tests start: commands, and their Debian packages. */
const PROGRAMS = { 'redis-server': 'redis-server', chromium: 'chromium', nginx: 'nginx-light' };
const WELL = 'exit code 0';

const total = { passed: 0, failed: 0, skipped: 0 };

main().then(finish, (err) => {
  console.error(err);
  total.failed++;
  finish();
});

async function main() {
  const majors = process.env.EGG_MAJOR ? [process.env.EGG_MAJOR] : ['3', '4'];
  if (!majors.every((major) => major === '3' || major === '4')) stop(`EGG_MAJOR is 3 or 4, not ${majors[0]}`);
  const files = process.argv.slice(2);
  installPrograms();
  process.env.CHROMIUM ??= find('chromium');
  clean();
  if (files.length === 0) await typeTests();
  for (const major of majors) await mocha(major, files);
  if (total.passed + total.failed === 0) fail('no test ran');
}

function finish() {
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

/** Installs what is missing, where that is possible: on Debian, as root. CHROMIUM names a browser that is elsewhere. */
function installPrograms() {
  const isMissing = (program) => !find(program) && !(program === 'chromium' && process.env.CHROMIUM);
  const missing = Object.keys(PROGRAMS).filter(isMissing);
  if (missing.length === 0) return;
  const packages = missing.map((program) => PROGRAMS[program]);
  const advice = `install ${missing.join(' and ')} (Debian: apt-get install ${packages.join(' ')}), then run the tests again`;
  if (!find('apt-get') || process.getuid?.() !== 0) stop(advice);
  console.log(`installing ${missing.join(' and ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  const done = [['update'], install].every((args) => spawnSync('apt-get', args, options).status === 0);
  if (!done || missing.some(isMissing)) stop(advice);
}

/** Where a command is, if it is anywhere in the PATH. A Debian user's has no /usr/sbin. */
function find(command) {
  const directories = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin'];
  const files = directories.map((directory) => path.join(directory, command));
  return files.find((file) => fs.existsSync(file));
}

async function typeTests() {
  console.log('\n== types');
  const end = await run('npm', ['run', '--silent', 'types'], process.env);
  if (end !== WELL) fail(`the type tests ended with ${end}`);
}

/** Runs the tests on one major, adding to the totals. */
async function mocha(major, files) {
  console.log(`\n== Egg ${major}`);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-test-'));
  const counts = path.join(directory, 'counts.json');
  try {
    const end = await run(process.execPath, mochaArguments(files), {
      ...process.env,
      EGG_MAJOR: major,
      TEST_COUNTS: counts,
    });
    if (!fs.existsSync(counts)) return fail(`the tests on Egg ${major} stopped before their end, with ${end}`);
    const { passes, failures, pending } = JSON.parse(fs.readFileSync(counts, 'utf8'));
    total.passed += passes;
    total.failed += failures;
    total.skipped += pending;
    if (failures === 0 && end !== WELL) fail(`the tests on Egg ${major} passed, but ended with ${end}`);
    if (files.length === 0 && passes + failures === 0) fail(`no test ran on Egg ${major}`);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** The configuration's options spelled out: Mocha would add the configuration's files to the ones that are asked for. */
function mochaArguments(files) {
  return [
    require.resolve('mocha/bin/mocha.js'),
    '--no-config',
    ...mocharc.require.flatMap((file) => ['--require', file]),
    ...mocharc.extension.flatMap((extension) => ['--extension', extension]),
    ...['--timeout', String(mocharc.timeout), '--exit', '--forbid-only'],
    // Three files at a time, on two cores: much of the time is spent waiting.
    ...['--parallel', '--jobs', '3'],
    ...['--reporter', path.join(__dirname, 'reporter.cjs')],
    ...(files.length > 0 ? files : mocharc.spec),
  ];
}

/** Runs a command, its output streaming to ours, and says how it ended. */
function run(command, args, env) {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
  const kill = (signal) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, kill);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      for (const each of ['SIGINT', 'SIGTERM']) process.off(each, kill);
      resolve(signal ?? `exit code ${code}`);
    });
  });
}

function fail(why) {
  console.error(why);
  total.failed++;
}

function stop(why) {
  console.error(why);
  process.exit(1);
}
