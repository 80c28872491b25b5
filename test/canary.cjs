// `npm run canary`: runs the tests on the newest releases of what the plugin is built on, in a temporary copy of the repository.
//   npm run canary -- test/packet.test.ts    runs these files only
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');

/** The packages by the names under which they are installed, with the newest version of each. */
const NEWEST = {
  'socket.io': 'latest',
  'socket.io-adapter': 'latest',
  'socket.io-parser': 'latest',
  'socket.io-client': 'latest',
  ioredis: 'latest',
  egg: '3',
  // `latest` of egg is of major 3 or 4, depending on the day.
  egg4: 'npm:egg@4',
};

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-canary-'));
try {
  process.exitCode = main(process.argv.slice(2));
} finally {
  fs.rmSync(directory, { recursive: true, force: true });
}

function main(files) {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  for (const file of listed.toString().split('\0').filter(Boolean)) {
    // The lock file would hold back packages, and those that they depend on.
    if (file === 'package-lock.json' || !fs.existsSync(path.join(ROOT, file))) continue;
    fs.mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
    fs.copyFileSync(path.join(ROOT, file), path.join(directory, file));
  }
  const packages = Object.entries(NEWEST).map(([name, version]) => `${name}@${version}`);
  // package.json keeps the tested ranges, which messages name. Peer dependencies may exclude what is to be tried.
  const install = ['install', '--no-save', '--no-audit', '--no-fund', '--legacy-peer-deps', ...packages];
  const installed = spawnSync('npm', install, { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
  if (installed.status !== 0) {
    console.error(`npm ${install.join(' ')} failed`);
    return 1;
  }
  for (const name of Object.keys(NEWEST)) {
    const { version } = JSON.parse(fs.readFileSync(path.join(directory, 'node_modules', name, 'package.json'), 'utf8'));
    console.log(`${name} ${version}`);
  }
  return spawnSync(process.execPath, ['test/run.cjs', ...files], { cwd: directory, stdio: 'inherit' }).status ?? 1;
}
