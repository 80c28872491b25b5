// config.io.redis.cluster and nodes: a Redis Cluster, written as for egg-redis or as for ioredis. Called by config.ts.
import type { ClusterOptions, RedisOptions } from 'ioredis';
import { ConfigError } from '../errors';

/** A node that is asked for the others. */
export interface RedisNode {
  host: string;
  port: number | string;
  username?: string;
  password?: string;
  /** A Redis Cluster has the database 0 only. */
  db?: 0;
}

/** A Redis Cluster, as ioredis takes it. */
export interface ResolvedCluster {
  nodes: Array<RedisNode & { port: number }>;
  options: ClusterOptions;
}

/** Options of ioredis that are the Cluster's; every other is one of the connections to its nodes. */
const OF_CLUSTER: readonly string[] = [
  'clusterRetryStrategy',
  'clusterNodeRetryStrategy',
  'enableReadyCheck',
  'scaleReads',
  'maxRedirections',
  'retryDelayOnFailover',
  'retryDelayOnClusterDown',
  'retryDelayOnTryAgain',
  'retryDelayOnMoved',
  'slotsRefreshTimeout',
  'slotsRefreshInterval',
  'useSRVRecords',
  'resolveSrv',
  'dnsLookup',
  'natMap',
  'enableAutoPipelining',
  'autoPipeliningIgnoredCommands',
  'keyPrefix',
  'scripts',
] satisfies Array<keyof ClusterOptions>;

/** Where a server is that is no Cluster. */
const OF_SERVER = ['host', 'port', 'path', 'db', 'sentinels', 'name'];

const NODES = "a list of one node or more: [{ host: '10.0.0.5', port: 6379 }]";

/**
 * Checks the nodes. Returns them with the options of the Cluster, or undefined where it is none.
 *
 * @throws {ConfigError} naming the key and what is allowed, without a password
 */
export function resolveCluster(
  cluster: unknown,
  nodes: unknown,
  options: RedisOptions & ClusterOptions,
): ResolvedCluster | undefined {
  const key = 'config.io.redis.cluster';
  if (cluster !== undefined && typeof cluster !== 'boolean') {
    throw new ConfigError(key, Array.isArray(cluster) ? '[…]' : cluster, 'true, and nodes beside it, or false');
  }
  if (!cluster) {
    if (nodes === undefined) return undefined;
    throw new ConfigError('config.io.redis.nodes', '[…]', 'nodes beside cluster: true: set it, or remove nodes');
  }
  const useless = OF_SERVER.filter((each) => (each === 'db' ? Number(options.db ?? 0) !== 0 : each in options));
  if (useless.length > 0) {
    throw new ConfigError(key, true, `nodes beside it, and no ${useless.join(', ')}: a Cluster is found by its nodes`);
  }
  const checked = checkNodes(nodes);
  const { redisOptions, db: _db, ...rest } = options;
  const ofCluster = Object.entries(rest).filter(([each]) => OF_CLUSTER.includes(each));
  const ofNodes = Object.entries(rest).filter(([each]) => !OF_CLUSTER.includes(each));
  // Nodes that are found by another have no entry in the list.
  const { username, password } = checked.find((node) => node.password) ?? {};
  const found = { ...(username && { username }), ...(password && { password }) };
  return {
    nodes: checked,
    options: {
      ...Object.fromEntries(ofCluster),
      redisOptions: { ...found, ...Object.fromEntries(ofNodes), ...redisOptions },
    },
  };
}

function checkNodes(nodes: unknown): ResolvedCluster['nodes'] {
  const key = 'config.io.redis.nodes';
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new ConfigError(key, nodes === undefined || Array.isArray(nodes) ? nodes : '…', NODES);
  }
  for (const [i, node] of nodes.entries()) {
    const { host, port, password, db } = (node ?? {}) as Record<string, unknown>;
    const where = `${key}[${i}]`;
    if (typeof host !== 'string' || host === '') throw new ConfigError(`${where}.host`, host, 'a string');
    if (!(Number(port) > 0 && Number(port) < 65_536)) throw new ConfigError(`${where}.port`, port, 'a port number');
    if (password !== undefined && password !== null && typeof password !== 'string') {
      throw new ConfigError(`${where}.password`, '***', 'a string');
    }
    if (Number(db ?? 0) !== 0) throw new ConfigError(`${where}.db`, db, '0, the only database of a Redis Cluster');
  }
  return nodes.map((node) => ({ ...node, port: Number(node.port) }));
}
