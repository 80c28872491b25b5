// Uses of Socket.IO 2's server API that Socket.IO 4 has renamed or dropped.
import type { Collection, Inference, Kind } from './inference';
import type { Match, RuleName } from './rules';
import { descendants, isFunction, type Node, nameOf, node, nodes, text, unwrap, user } from './syntax';

/** The names that `emit()` refuses. */
const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];

const NAMESPACES: Kind[] = ['server', 'namespace', 'operator'];
const SOCKETS: Kind[] = ['context', 'socket', 'socket operator'];

/** Methods, by their names: of which objects they are. */
const METHODS: Readonly<Record<string, [rule: RuleName, ...of: Kind[]]>> = {
  clients: ['clients', ...NAMESPACES, 'adapter'],
  allRooms: ['all-rooms', 'adapter'],
  clientRooms: ['client-rooms', 'adapter'],
  origins: ['origins', 'server'],
  set: ['set', 'server'],
  binary: ['binary', 'server', 'namespace', 'operator', ...SOCKETS],
  error: ['socket-error', 'socket'],
};

/** Methods whose names nothing else has. */
const DISTINCT: Readonly<Record<string, RuleName>> = {
  remoteJoin: 'remote-join',
  remoteLeave: 'remote-leave',
  remoteDisconnect: 'remote-disconnect',
  customRequest: 'custom-request',
};

/** For each collection: the rule for its use as an object, and the members that it has in Socket.IO 4. */
const COLLECTIONS: Readonly<Record<Collection, { rule: RuleName; members: object }>> = {
  connected: { rule: 'connected', members: {} },
  sockets: { rule: 'sockets', members: Map.prototype },
  rooms: { rule: 'adapter-rooms', members: Map.prototype },
  sids: { rule: 'adapter-sids', members: Map.prototype },
  room: { rule: 'adapter-rooms', members: Set.prototype },
  'rooms of a socket': { rule: 'rooms', members: Set.prototype },
  acks: { rule: 'acks', members: Map.prototype },
};

/** Keys that are users and not sockets. */
const USER = /user|(^|[^u])uid|member|player|account|openid/i;

/** Finds uses of the API in a file. */
export function* findApi(root: Node, inference: Inference): Generator<Match> {
  for (const each of descendants(root)) {
    switch (each.type) {
      case 'CallExpression':
        yield* findCalls(each, inference);
        yield* findCollection(each, inference);
        break;
      case 'ExpressionStatement':
        yield* findDroppedOperator(node(each.expression), inference);
        break;
      case 'ArrowFunctionExpression':
        if (isCallbackOf(each, 'forEach')) yield* findDroppedOperator(node(each.body), inference);
        break;
      case 'AssignmentExpression':
        yield* findHook(each, inference);
        break;
      case 'MemberExpression':
      case 'Identifier':
        yield* findCollection(each, inference);
        break;
      case 'Property':
        yield* findDestructured(each, inference);
        break;
    }
  }
}

function* findCalls(call: Node, inference: Inference): Generator<Match> {
  const callee = unwrap(call.callee);
  const [first, second] = nodes(call.arguments);
  if (callee?.type === 'Identifier') yield* findClient(call, callee, inference);
  const method = callee?.type === 'MemberExpression' ? nameOf(callee.property, callee.computed) : undefined;
  if (!callee || method === undefined) return;
  const of = inference.kindOf(callee.object);

  const distinct = Object.hasOwn(DISTINCT, method) ? DISTINCT[method] : undefined;
  if (distinct && (of === 'adapter' || of === undefined)) yield matchOf(distinct, call);
  const [rule, ...kinds]: [rule?: RuleName, ...of: Kind[]] = Object.hasOwn(METHODS, method)
    ? (METHODS[method] ?? [])
    : [];
  if (rule && of && kinds.includes(of)) {
    // The Redis adapter of Socket.IO 4 has an allRooms() that returns a promise.
    const isCurrent = rule === 'all-rooms' && !first;
    if (!isCurrent) yield matchOf(rule === 'set' && text(first) === 'origins' ? 'set-origins' : rule, call);
  }
  // `x.in(room).clients(callback)` of an unknown x.
  const inner = of === undefined && method === 'clients' && first ? unwrap(callee.object) : undefined;
  const innerCallee = inner?.type === 'CallExpression' ? unwrap(inner.callee) : undefined;
  if (/^(in|to)$/.test(nameOf(innerCallee?.property, innerCallee?.computed) ?? '')) yield matchOf('clients', call);

  if (method === 'emit') {
    if ((of === 'socket operator' || of === 'operator') && isJson(callee.object)) yield matchOf('json', call);
    const isEmitter = of && [...NAMESPACES, ...SOCKETS].includes(of);
    if (isEmitter && RESERVED.includes(text(first) ?? '')) yield matchOf('reserved-event', call);
  }
  if (method === 'route' && (of === 'server' || of === 'namespace')) {
    const events = first?.type === 'ArrayExpression' ? nodes(first.elements) : [first];
    if (events.some((event) => text(event) === 'connection')) yield matchOf('route-connection', call);
  }
  if (of === 'id' && nodes(call.arguments).some(hasHash)) yield matchOf('socket-id', call);
  if (method === 'on' && of === 'socket' && isFunction(second)) {
    const last = nodes(second?.params).at(-1);
    if (last?.type === 'Identifier' && last.name === 'ctx')
      yield { ...matchOf('context-argument', call), end: last.end };
  }
}

/** `io('/chat?token=1')` of socket.io-client. */
function* findClient(call: Node, callee: Node, inference: Inference): Generator<Match> {
  const url = text(nodes(call.arguments)[0]) ?? '';
  if (!/[^/]\/[^/?]+\?/.test(url) && !/^\/[^/?]+\?/.test(url)) return;
  const binding = callee.scope?.find(String(callee.name));
  const from = /^Import/.test(binding?.value?.type ?? '')
    ? text(binding?.value?.parent?.source)
    : text(nodes(inference.valueOf(callee)?.arguments)[0]);
  if (from === 'socket.io-client') yield matchOf('query-of-namespace', call);
}

/** `ctx.to('x');` and `ctx.broadcast;`, which Socket.IO 2 kept for a following `ctx.emit()`. */
function* findDroppedOperator(expression: Node | undefined, inference: Inference): Generator<Match> {
  const each = unwrap(expression);
  const member = each?.type === 'CallExpression' ? unwrap(each.callee) : each;
  if (!each || member?.type !== 'MemberExpression') return;
  const kind = inference.kindOf(each);
  if (kind !== 'operator' && kind !== 'socket operator') return;
  // Other flags of a socket, such as `ctx.volatile`, are kept in Socket.IO 4 as well.
  const name = nameOf(member.property, member.computed) ?? '';
  if (kind === 'socket operator' && !/^(to|in|broadcast|local)$/.test(name)) return;
  const isRoom = kind === 'socket operator' && /^(to|in)$/.test(name);
  yield matchOf(isRoom ? 'to-statement' : 'operator-statement', each);
}

/** `adapter.customHook = …` */
function* findHook(assignment: Node, inference: Inference): Generator<Match> {
  const left = unwrap(assignment.left);
  if (left?.type !== 'MemberExpression' || nameOf(left.property, left.computed) !== 'customHook') return;
  if (inference.kindOf(left.object) === 'adapter') yield matchOf('custom-request', left);
}

/** An object of Socket.IO 2 that is used as an object, although it is a Map or a Set. */
function* findCollection(each: Node, inference: Inference): Generator<Match> {
  const isDeclared = each.type === 'Identifier' && /Pattern|Declarator/.test(each.parent?.type ?? '');
  if (isDeclared) return;
  const kind = inference.kindOf(each);
  if (kind === undefined && isConnectedOfUnknown(each)) yield matchOf('connected', each);
  if (kind === 'namespaces') {
    if (each.type === 'MemberExpression') yield matchOf('namespaces', each);
    return;
  }
  if (!kind || !Object.hasOwn(COLLECTIONS, kind)) return;
  const { rule, members } = COLLECTIONS[kind as Collection];
  const use = useAsObject(each, members);
  if (!use) {
    // `nsp.connected` itself is gone. A variable of that value is reported where the value is read.
    if (kind === 'connected' && each.type === 'MemberExpression') yield matchOf(rule, each);
    return;
  }
  if (kind === 'connected' && each.type === 'Identifier') return;
  const key = use.type === 'MemberExpression' && use.computed ? node(use.property) : undefined;
  const isSocket = key !== undefined && (kind === 'sockets' || kind === 'connected');
  if (isSocket) yield { ...matchOf(mentions(key, USER) ? 'sockets-by-user' : rule, use), isSocket };
  else yield matchOf(rule, use);
}

/** `const { connected } = nsp` */
function* findDestructured(property: Node, inference: Inference): Generator<Match> {
  if (property.parent?.type !== 'ObjectPattern' || nameOf(property.key, property.computed) !== 'connected') return;
  const value = unwrap(property.value);
  if (value?.type === 'Identifier' && inference.kindOf(value) === 'connected') yield matchOf('connected', property);
}

/** `sockets.connected[id]` of something unknown that is called like a part of Socket.IO. */
function isConnectedOfUnknown(each: Node): boolean {
  if (each.type !== 'MemberExpression' || !each.computed) return false;
  const object = unwrap(each.object);
  if (object?.type !== 'MemberExpression' || nameOf(object.property, object.computed) !== 'connected') return false;
  const of = unwrap(object.object);
  return of !== undefined && mentions(of, /^io$|^nsp$|socket|namespace/i);
}

/** The expression that uses a value as an object, if it does. */
function useAsObject(each: Node, members: object): Node | undefined {
  const { parent, child } = user(each);
  switch (parent?.type) {
    case 'MemberExpression': {
      if (parent.object !== child) return undefined;
      const name = nameOf(parent.property, parent.computed);
      // `for await` and spread use symbols: `rooms[Symbol.iterator]`.
      if (name === undefined) return isSymbol(parent.property) ? undefined : parent;
      return name in members && !Object.hasOwn(Object.prototype, name) ? undefined : parent;
    }
    case 'BinaryExpression':
      return parent.operator === 'in' && parent.right === child ? parent : undefined;
    case 'ForInStatement':
      return parent.right === child ? child : undefined;
    case 'CallExpression':
      return nodes(parent.arguments).includes(child) && takesObject(parent) ? parent : undefined;
    case 'AssignmentExpression':
      return parent.right === child && isBody(parent.left) ? parent : undefined;
    case 'Property': {
      const object = parent.parent;
      const call = object?.type === 'ObjectExpression' ? object.parent : undefined;
      return call?.type === 'CallExpression' && isSent(call) ? child : undefined;
    }
    default:
      return undefined;
  }
}

/** `Object.keys(x)`, `_.size(x)`, and what makes JSON of x. */
function takesObject(call: Node): boolean {
  const callee = unwrap(call.callee);
  if (callee?.type !== 'MemberExpression') return false;
  const of = nameOf(callee.object, false);
  const method = nameOf(callee.property, callee.computed) ?? '';
  return (of === 'Object' && /^(keys|values|entries)$/.test(method)) || /^(_|lodash)$/.test(of ?? '') || isSent(call);
}

function isSent(call: Node): boolean {
  const callee = unwrap(call.callee);
  const method = callee?.type === 'MemberExpression' ? nameOf(callee.property, callee.computed) : undefined;
  return method === 'emit' || (method === 'stringify' && nameOf(callee?.object, false) === 'JSON');
}

function isBody(left: unknown): boolean {
  const member = unwrap(left);
  return member?.type === 'MemberExpression' && nameOf(member.property, member.computed) === 'body';
}

function isSymbol(property: unknown): boolean {
  const of = unwrap(property);
  return of?.type === 'MemberExpression' && nameOf(of.object, false) === 'Symbol';
}

function isJson(operator: unknown): boolean {
  const member = unwrap(operator);
  return member?.type === 'MemberExpression' && nameOf(member.property, member.computed) === 'json';
}

function hasHash(argument: Node): boolean {
  return text(argument)?.includes('#') || /#/.test(String((argument.regex as { pattern?: string })?.pattern ?? ''));
}

function isCallbackOf(callback: Node, method: string): boolean {
  const call = callback.parent;
  const callee = call?.type === 'CallExpression' ? unwrap(call.callee) : undefined;
  return callee?.type === 'MemberExpression' && nameOf(callee.property, callee.computed) === method;
}

function mentions(key: Node, names: RegExp): boolean {
  for (const each of descendants(key)) if (each.type === 'Identifier' && names.test(String(each.name))) return true;
  return false;
}

export function matchOf(rule: RuleName, { start, end }: Node): Match {
  return { rule, start, end };
}
