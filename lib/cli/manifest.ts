// package.json of an application: the packages that have to be upgraded or removed.
import { matchOf } from './api';
import { objectEntries } from './configuration';
import { findWatchDirs } from './modules';
import type { Match, RuleName } from './rules';
import { type Node, text } from './syntax';

const SECTIONS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/** Packages whose older major versions must be upgraded, and the first version that need not. */
const SINCE: Readonly<Record<string, [major: number, rule: RuleName]>> = {
  'egg-socket.io': [5, 'upgrade'],
  egg: [3, 'egg'],
  'socket.io': [4, 'dependency'],
  'socket.io-client': [3, 'old-client'],
  'weapp.socket.io': [3, 'old-client'],
  '@hyoga/uni-socket.io': [3, 'old-client'],
};

const REMOVED: Readonly<Record<string, RuleName>> = {
  'socket.io-redis': 'redis-adapter',
  '@types/socket.io-redis': 'redis-adapter',
  'socket.io-emitter': 'redis-emitter',
  '@types/socket.io': 'dependency',
  uws: 'uws',
};

/** Finds packages in package.json. */
export function* findPackages(root: Node, { allowsOldClients }: { allowsOldClients: boolean }): Generator<Match> {
  const entries = [...objectEntries(root)];
  const packages = entries.filter(({ path }) => path.length === 2 && SECTIONS.includes(path[0] ?? ''));
  const hasOldClient = packages.some(({ path, value }) => path[1] === 'socket.io-client' && majorOf(text(value)) < 3);
  for (const { path, key, value } of packages) {
    const name = path[1] ?? '';
    const removed = Object.hasOwn(REMOVED, name) ? REMOVED[name] : undefined;
    if (removed) yield matchOf(removed, key);
    // The types of a client of Socket.IO 2 are needed as long as the client is.
    if (name === '@types/socket.io-client' && !hasOldClient) yield matchOf('dependency', key);
    const [since, rule] = Object.hasOwn(SINCE, name) ? (SINCE[name] ?? []) : [];
    if (!since || !rule || majorOf(text(value)) >= since) continue;
    if (rule !== 'old-client' || !allowsOldClients) yield matchOf(rule, key);
  }
  for (const { path, key } of entries) {
    if (path.join('.') === 'egg.tsHelper.watchDirs') yield* findWatchDirs(key);
  }
}

/** The lowest major of a range. Infinity if it is none, such as `latest`, a URL or a path. */
function majorOf(range: string | undefined): number {
  const [, major] = /^(?:npm:.*@)?[\s^~>=v]*(\d+)/.exec(range ?? '') ?? [];
  return major === undefined ? Number.POSITIVE_INFINITY : Number(major);
}
