// Checks at boot that the installed versions have the private members that the plugin uses. Without the check, a release that renames
// one would skip packet middleware, guards among them, without a word.
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { Server, Socket } from 'socket.io';
import { ADAPTER_MEMBERS, createSampleAdapters } from './adapters';
import { CLIENT_MEMBERS } from './client';
import { COMPAT_MEMBERS } from './compat';
import { EGG_MEMBERS } from './egg';
import { createSampleTransport, ENGINE_MEMBERS } from './engineio';
import { LISTENER_MEMBERS } from './listeners';
import { type Member, missing, type Sample } from './members';
import { NAMESPACE_MEMBERS } from './namespaces';
import { SOCKET_MEMBERS } from './socketio';

/** The members that every application needs. Those of the Redis adapters are checked when they are loaded. */
export const MEMBERS: readonly Member[] = [
  ...SOCKET_MEMBERS,
  ...CLIENT_MEMBERS,
  ...LISTENER_MEMBERS,
  ...NAMESPACE_MEMBERS,
  ...ENGINE_MEMBERS,
  ...ADAPTER_MEMBERS,
  ...COMPAT_MEMBERS,
  ...EGG_MEMBERS,
];

/**
 * Checks the installed versions of Socket.IO and Egg.
 *
 * @param app - the application
 * @param warn - called once for each missing member that the plugin can do without
 * @throws {Error} if a required member is missing; the message names the supported versions
 */
export function assertSupported(app: object, warn: (message: string) => void): void {
  assertMembers(MEMBERS, createSample(app), warn);
}

/** The same for given members. */
export function assertMembers(members: readonly Member[], sample: Sample, warn: (message: string) => void): void {
  const lacking = missing(members, sample);
  const required = lacking.filter(({ fallback }) => fallback === undefined);
  if (required.length > 0) {
    const listed = required.map(({ library, path }) => `${path} of ${library} ${versionOf(library)}`).join(', ');
    const libraries = [...new Set(required.map(({ library }) => library))];
    throw new Error(
      `[egg-socket.io] an installed version is not supported: ${listed} is missing. Supported: ${libraries.map(supported).join(', ')}. Pin it by "overrides" in package.json, or update egg-socket.io`,
    );
  }
  for (const { library, path, fallback } of lacking) {
    warn(
      `[egg-socket.io] ${path} is missing in ${library} ${versionOf(library)}: ${fallback}. Tested: ${supported(library)}`,
    );
  }
}

/** Creates one of each object of Socket.IO, without a network. */
export function createSample(app: object): Sample {
  const server = new SampleServer({ serveClient: false });
  const namespace = server.sockets;
  const parentNamespace = server.of(/^\/sample$/);
  server.attach(createServer());
  const conn = Object.assign(new EventEmitter(), {
    id: 'sample',
    // Of a client of Socket.IO 2, which Socket.IO connects to `/` by itself.
    protocol: 3,
    readyState: 'open',
    request: { headers: {}, connection: {} },
    close() {},
    write() {},
  });
  server.capturing = true;
  server.engine.emit('connection', conn);
  const client = server.client ?? {};
  const socket = server.client ? new Socket(namespace, client as never, {}) : {};
  // Ends the timers of the client.
  conn.emit('close', 'sample');
  const { engine } = server;
  const transport = createSampleTransport(engine);
  return {
    app,
    server,
    namespace,
    parentNamespace,
    client,
    socket,
    engine,
    transport,
    ...createSampleAdapters(namespace),
  };
}

/** A server that captures the client of the next connection in place of connecting it to a namespace. */
class SampleServer extends Server {
  capturing: boolean | undefined;
  client: object | undefined;

  override of(...args: Parameters<Server['of']>): ReturnType<Server['of']> {
    if (!this.capturing) return super.of(...args);
    const capture = (client: object) => {
      this.client ??= client;
    };
    return new Proxy({}, { get: () => capture }) as ReturnType<Server['of']>;
  }
}

/** The installed version of a package. */
function versionOf(library: string): string {
  try {
    return require(`${library}/package.json`).version;
  } catch {
    return '(unknown version)';
  }
}

/** The range of a package in this package's own package.json. */
function supported(library: string): string {
  const { dependencies, peerDependencies } = require('../../package.json');
  // engine.io is installed with socket.io.
  const range = { ...peerDependencies, ...dependencies }[library];
  return range === undefined ? `socket.io ${dependencies['socket.io']}` : `${library} ${range}`;
}
