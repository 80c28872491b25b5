// The limits of a worker that hold for connections, whatever namespaces they are connected to: packetsPerTurn, unsentBytes and
// connectionsPerAddress of `config.io.limits`.
import type { IncomingMessage } from 'node:http';
import type { Application } from 'egg';
import { clientAddress, networkOf } from '../client-address';
import {
  type Connection,
  connectionOf,
  connectionsOf,
  type Engine,
  type RequestHandlers,
  replaceHandlers,
  sessionIdOf,
  terminate,
} from '../internals/engineio';
import { ConnectionsBy } from './connections';
import { afterBacklog, PacketsPerTurn } from './packets-per-turn';
import { LimitReport } from './report';
import { UnsentBytes } from './unsent-bytes';

/** The limits of connections. Undefined: no limit. */
interface EngineLimits {
  readonly packetsPerTurn: number | undefined;
  readonly unsentBytes: number | undefined;
  readonly connectionsPerAddress: number | undefined;
}

/** Refuses handshakes. */
interface Refusals {
  request(...args: Parameters<RequestHandlers['handleRequest']>): void;
  upgrade(...args: Parameters<RequestHandlers['handleUpgrade']>): void;
}

/**
 * Limits the connections of an engine. Must be called when Socket.IO listens to the engine, and before requests of clients are forwarded.
 *
 * @param refusals - refuse a handshake by HTTP 429
 */
export function limitConnections(app: Application, engine: Engine, limits: EngineLimits, refusals: Refusals): void {
  const report = LimitReport.of(app, app.io);
  if (limits.packetsPerTurn !== undefined) limitPackets(engine, limits.packetsPerTurn, report);
  if (limits.unsentBytes !== undefined) limitUnsent(engine, limits.unsentBytes, report);
  if (limits.connectionsPerAddress !== undefined) {
    limitAddresses(app, engine, limits.connectionsPerAddress, report, refusals);
  }
}

function limitPackets(engine: Engine, max: number, report: LimitReport): void {
  const turns = new PacketsPerTurn(max, () => report.count('packetsPerTurn'));
  engine.on('connection', (conn) => turns.limit(conn));
  replaceHandlers(engine, (own) => ({
    handleUpgrade: own.handleUpgrade,
    handleRequest: (req, res) => {
      const conn = req.method === 'POST' ? connectionOf(engine, sessionIdOf(req) ?? '') : undefined;
      const handle = () => own.handleRequest(req, res);
      if (conn === undefined) handle();
      else if (!afterBacklog(conn, handle)) {
        // As Engine.IO does with overlapping requests: a client sends one after the other.
        conn.close(true);
        handle();
      }
    },
  }));
}

function limitUnsent(engine: Engine, max: number, report: LimitReport): void {
  const exceeded = (conn: Connection) => {
    report.limited(
      'unsentBytes',
      conn.request,
      `${max} bytes that wait for one connection: it does not read, and is closed`,
    );
    terminate(conn);
  };
  const unsent = new UnsentBytes(max, () => connectionsOf(engine), exceeded);
  engine.on('connection', () => unsent.start());
  replaceHandlers(engine, (own) => ({
    handleUpgrade: own.handleUpgrade,
    handleRequest: (req, res) => {
      const conn = req.method === 'GET' ? connectionOf(engine, sessionIdOf(req) ?? '') : undefined;
      if (conn !== undefined) unsent.responding(conn, res);
      own.handleRequest(req, res);
    },
  }));
}

function limitAddresses(app: Application, engine: Engine, max: number, report: LimitReport, refusals: Refusals): void {
  const connections = new ConnectionsBy(max);
  const keyOf = (req: IncomingMessage) => networkOf(clientAddress(app, req));
  const limited = (req: IncomingMessage) =>
    report.limited('connectionsPerAddress', req, `${max} connections of one address`);
  const isRefused = (req: IncomingMessage) => {
    if (sessionIdOf(req) !== undefined || !connections.isFull(keyOf(req))) return false;
    limited(req);
    return true;
  };
  replaceHandlers(engine, (own) => ({
    handleRequest: (req, res) => (isRefused(req) ? refusals.request(req, res) : own.handleRequest(req, res)),
    handleUpgrade: (req, socket, head) =>
      isRefused(req) ? refusals.upgrade(req, socket, head) : own.handleUpgrade(req, socket, head),
  }));
  engine.on('connection', (conn) => {
    // Of handshakes that have begun at the same time.
    if (connections.add(keyOf(conn.request), conn)) return;
    limited(conn.request);
    terminate(conn);
  });
}
