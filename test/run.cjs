// `npm test`: all tests on Egg 3, with the type tests beside them, then on Egg 4. The last line has the counts of all.
//   npm test -- test/redis.test.ts    runs these files only, without the type tests
//   EGG_MAJOR=3 npm test              runs on one major only
//   EGG_MAJOR=newest npm test         runs test/newest on the newest Egg, which npm installs outside of the repository
//   EGG_MAJOR=3,4,newest npm test     runs all three, as CI does
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const clean = require('./clean.cjs');
const mocharc = require('./.mocharc.cjs');

const ROOT = path.resolve(__dirname, '..');
/** What tests start: commands, and their Debian packages. */
const PROGRAMS = { 'redis-server': 'redis-server', chromium: 'chromium', nginx: 'nginx-light' };
const SUCCESS = 'exit code 0';
/** `newest` is a release that npm does not install by default. It has tests of its own. */
const MAJORS = ['3', '4', 'newest'];
/**
 * Adapters, requests between workers and clients do not depend on Egg: these files run on this major only, unless they are asked for. The
 * other one has links, redis, redis-egg, forwarding-security and agent-io.test.ts, which is a part of the conformance suites.
 */
const CONFORMANCE_MAJOR = '4';
const CONFORMANCE =
  /^(conformance-|links-failures|presence-redis|redis-(acl|admission|health|late|link|namespaces|outage|reliability|sharded|streams)|unsendable-data|(forwarding|leak|own-adapter|client-versions|python-client|mini-program|websocket-client)$)/;
/** Files that take more than 10 s run first, the longest ones at the beginning: at the end all jobs have something to do. */
const LONGEST = [
  'leak',
  'fuzz',
  'drain-cluster',
  'conformance-redis-streams',
  'links-failures',
  'chat',
  'conformance-redis',
  'forwarding',
  'redis-health',
  'redis-health-cluster',
  'packed',
  'conformance-redis-sharded',
  'redis-sharded',
  'presence-workers',
  'presence-redis',
  'conformance-cluster',
  'redis-streams',
  'redis-streams-recovery',
  'conformance-memory',
  'redis-outage',
  'health',
  'docs-style',
  'site',
  'docs-code',
  'client-versions',
  'admin',
  'route-table',
  'admin-page',
  'redis-reliability',
  'redis-acl',
  'agent-io',
  'connection',
  'upgrade',
  'drain',
  'redis-egg',
  'namespace-children',
  'reload',
];

/** How much of a failure is printed again at the end, in characters. */
const MAX_FAILURE = 3_000;

const total = { passed: 0, failed: 0, skipped: 0 };
/** What has failed. Printed again at the end, where it is found in a long log. */
const failed = [];

main().then(finish, (err) => {
  fail(String(err?.stack ?? err));
  finish();
});

async function main() {
  const majors = (process.env.EGG_MAJOR || '3,4').split(',');
  const wrong = majors.find((major) => !MAJORS.includes(major));
  if (wrong !== undefined) stop(`EGG_MAJOR is one or more of ${MAJORS.join(',')}, not ${wrong}`);
  const files = process.argv.slice(2);
  installPrograms();
  process.env.CHROMIUM ??= find('chromium');
  clean();
  const types = files.length === 0 && majors[0] !== 'newest' ? typeTests() : undefined;
  for (const major of majors) {
    await mocha(major, files);
    if (major === majors[0]) await types?.();
  }
  if (total.passed + total.failed === 0) fail('no test ran');
}

function finish() {
  if (failed.length > 0) console.log(`\n== failed\n${failed.map((each) => each.slice(0, MAX_FAILURE)).join('\n\n')}\n`);
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

/** Starts the type tests. Returns a function that waits for their end and prints what they have printed. */
function typeTests() {
  const chunks = [];
  const ended = run('npm', ['run', '--silent', 'types'], process.env, (chunk) => chunks.push(chunk)).catch(String);
  return async () => {
    const end = await ended;
    console.log(`\n== types\n${Buffer.concat(chunks)}`);
    if (end !== SUCCESS) fail(`the type tests ended with ${end}`);
  };
}

/** Runs the tests on one major, adding to the totals. */
async function mocha(major, files) {
  console.log(`\n== Egg ${major}`);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-test-'));
  const counts = path.join(directory, 'counts.json');
  const stray = path.join(directory, 'stray');
  try {
    const end = await run(process.execPath, mochaArguments(files.length > 0 ? files : allFiles(major)), {
      ...process.env,
      EGG_MAJOR: major,
      TEST_COUNTS: counts,
      TEST_STRAY: stray,
    });
    if (fs.existsSync(stray)) fail(`errors outside of all tests on Egg ${major}:\n${fs.readFileSync(stray, 'utf8')}`);
    if (!fs.existsSync(counts)) return fail(`the tests on Egg ${major} stopped before their end, with ${end}`);
    const { passes, failures, pending, errors } = JSON.parse(fs.readFileSync(counts, 'utf8'));
    total.passed += passes;
    total.failed += failures;
    total.skipped += pending;
    failed.push(...errors.map((error) => `Egg ${major}, ${error}`));
    if (failures === 0 && end !== SUCCESS) fail(`the tests on Egg ${major} passed, but ended with ${end}`);
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
    // Four files at a time, on two cores: a fifth of the time is spent waiting.
    ...['--parallel', '--jobs', '4'],
    ...['--reporter', path.join(__dirname, 'reporter.cjs')],
    ...files,
  ];
}

/** All test files for one major, in the order in which they are started. */
function allFiles(major) {
  if (major === 'newest') return [path.join(__dirname, 'newest/newest.test.ts')];
  const rank = (name) => (LONGEST.includes(name) ? LONGEST.indexOf(name) : LONGEST.length);
  return fs
    .readdirSync(__dirname)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => file.replace('.test.ts', ''))
    .filter((name) => (major === CONFORMANCE_MAJOR ? name !== 'agent-io' : !CONFORMANCE.test(name)))
    .sort((one, other) => rank(one) - rank(other))
    .map((name) => path.join(__dirname, `${name}.test.ts`));
}

/** Runs a command and returns how it ended. Its output goes to ours, or chunk by chunk to a function. */
function run(command, args, env, write) {
  const output = write ? 'pipe' : 'inherit';
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', output, output] });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', write);
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
  failed.push(why);
}

function stop(why) {
  console.error(why);
  process.exit(1);
}
