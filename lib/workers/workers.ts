// Several workers on one host: links that carry broadcasts, and clients' requests that find their worker. Called by app.ts in
// the order of its functions, by adapter.ts and by engine.ts.
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import { Exchange } from '../adapters/exchange';
import { Membership } from '../adapters/links';
import { LinkAdapter } from '../adapters/links-adapter';
import { adapterOf, drainTimesOf, masterOf, needsForwarding } from '../config/topology';
import { Handover } from './forwarding';
import { BackDoor, type Engine, sidOf } from './internal-server';
import { RunDirectory, sweep } from './run-directory';
import { makeSid, makeTag } from './session-id';

/** What a worker of several has. */
interface Cluster {
  directory: RunDirectory;
  tag: string;
  /** Where the links carry broadcasts. */
  links?: { members: Membership; exchange: Exchange };
  /** Where workers hand requests over. */
  door?: { backDoor: BackDoor; handover: Handover; engines: Array<[Engine, Answers]> };
}

type Answers = Pick<Engine, 'handleRequest' | 'handleUpgrade'>;

const clusters = new WeakMap<Application, Cluster>();

/**
 * Makes what a worker of several has; nothing is heard of it before `openCluster`.
 *
 * @param leaving - closes the connection of a session of this worker in good order
 */
export function prepareCluster(app: Application, leaving: (sid: string) => void): void {
  const links = adapterOf(app) === 'cluster';
  const handover = needsForwarding(app);
  if (!links && !handover) return;
  const directory = new RunDirectory(app.config.rundir, masterOf(app));
  const tag = makeTag();
  const cluster: Cluster = { directory, tag };
  clusters.set(app, cluster);
  if (links) {
    const members = new Membership(directory, tag, app.coreLogger);
    cluster.links = { members, exchange: new Exchange(members, app.coreLogger) };
  }
  if (!handover) return;
  const engines: Array<[Engine, Answers]> = [];
  const answersOf = (req: Parameters<Engine['handleRequest']>[0]) => {
    const sid = sidOf(req) as string;
    return (engines.find(([engine]) => Object.hasOwn(engine.clients, sid)) ?? engines.at(-1))?.[1];
  };
  const backDoor = new BackDoor(tag, {
    request: (req, res) => answersOf(req)?.handleRequest(req, res),
    upgrade: (req, socket, head) => answersOf(req)?.handleUpgrade(req, socket, head),
    leaving,
  });
  cluster.door = { backDoor, handover: new Handover(directory, tag), engines };
}

/** The adapter that publishes over the links. */
export function linkAdapter(app: Application): new (nsp: Namespace) => LinkAdapter {
  const { exchange } = (clusters.get(app) as Cluster).links as { exchange: Exchange };
  return class extends LinkAdapter {
    constructor(nsp: Namespace) {
      super(nsp, exchange);
    }
  };
}

/** Makes an engine's sessions known to the other workers, and theirs to it. Called before it takes any request. */
export function shareSessions(app: Application, engine: Engine & { generateId: (req: never) => unknown }): void {
  const cluster = clusters.get(app);
  if (cluster?.door === undefined) return;
  const { handover, engines } = cluster.door;
  engines.push([engine, handover.serve(engine)]);
  engine.generateId = () => makeSid(cluster.tag);
}

/** Joins the other workers. Called when the namespaces are there, before clients are let in. */
export async function openCluster(app: Application): Promise<void> {
  const cluster = clusters.get(app);
  if (cluster === undefined) return;
  const { directory, door, links } = cluster;
  try {
    await door?.backDoor.open(directory);
    if (links) await links.members.join(links.exchange);
    // Without links nobody notices that a worker has died.
    else await sweep(app.config.rundir);
  } catch (err) {
    const problem = `[egg-socket.io] can't open a socket for the other workers in ${directory.path}: ${(err as Error).message}`;
    throw new Error(`${problem}. Set config.rundir to a directory on a local file system`, { cause: err });
  }
}

/** Lets clients of other workers that come through this one come back by another way. */
export async function leaveCluster(app: Application): Promise<void> {
  const times = drainTimesOf(app);
  if (times) await clusters.get(app)?.door?.handover.leave(times.spread, times.timeout);
}

/** Leaves the other workers. Called when the last client is gone. */
export async function closeCluster(app: Application): Promise<void> {
  const cluster = clusters.get(app);
  if (cluster === undefined) return;
  clusters.delete(app);
  cluster.directory.remove(cluster.tag);
  await cluster.links?.members.leave();
  cluster.door?.handover.close();
  await cluster.door?.backDoor.close();
}
