// What an expression stands for in Socket.IO's API: a namespace, a socket, an adapter, … It is inferred from the syntax: from the
// members of `app`, `ctx` and `this`, from what names are declared as, and for parameters from the names that Egg's documentation uses.
import {
  type Binding,
  children,
  descendants,
  isFunction,
  type Node,
  nameOf,
  node,
  nodes,
  type Scope,
  text,
  unwrap,
} from './syntax';

export type Kind =
  | 'this'
  | 'app'
  | 'context'
  | 'server'
  | 'namespace'
  | 'namespaces'
  | 'operator'
  | 'socket'
  | 'socket operator'
  | 'adapter'
  | 'id'
  | Collection;

/** An object in Socket.IO 2 that is a Map or a Set in Socket.IO 4. */
export type Collection = 'rooms of a socket' | 'acks' | 'sockets' | 'connected' | 'rooms' | 'room' | 'sids';

const OPERATORS = { volatile: 'operator', local: 'operator', json: 'operator' } as const;
const SOCKET = {
  nsp: 'namespace',
  server: 'server',
  adapter: 'adapter',
  rooms: 'rooms of a socket',
  acks: 'acks',
  id: 'id',
  broadcast: 'socket operator',
  volatile: 'socket operator',
  local: 'socket operator',
  json: 'socket operator',
} as const;

const MEMBERS: Partial<Record<Kind, Readonly<Record<string, Kind>>>> = {
  this: { app: 'app', ctx: 'context' },
  app: { io: 'server' },
  context: { ...SOCKET, app: 'app', socket: 'socket' },
  // The parameter `io` of a function may be a namespace.
  server: { ...OPERATORS, sockets: 'namespace', nsps: 'namespaces', adapter: 'adapter', connected: 'connected' },
  namespace: { ...OPERATORS, sockets: 'sockets', connected: 'connected', adapter: 'adapter', server: 'server' },
  operator: OPERATORS,
  socket: SOCKET,
  'socket operator': { broadcast: 'socket operator', volatile: 'socket operator', json: 'socket operator' },
  adapter: { rooms: 'rooms', sids: 'sids', nsp: 'namespace' },
};

/** What `collection[key]` is in Socket.IO 2. */
const INDEXED: Partial<Record<Kind, Kind>> = { namespaces: 'namespace', sockets: 'socket', connected: 'socket' };

/** What `collection.get(key)` is in Socket.IO 4. */
const ELEMENTS: Partial<Record<Kind, Kind>> = { sockets: 'socket', rooms: 'room', sids: 'room' };

const PARAMETERS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['app', 'app'],
  ['application', 'app'],
  ['ctx', 'context'],
  ['context', 'context'],
  ['io', 'server'],
  ['nsp', 'namespace'],
  ['socket', 'socket'],
]);

const TYPES: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['Application', 'app'],
  ['Context', 'context'],
  ['EggIOServer', 'server'],
  ['EggSocketNameSpace', 'namespace'],
  ['IoNamespace', 'namespace'],
  ['IoServer', 'server'],
  ['Namespace', 'namespace'],
  ['Socket', 'socket'],
]);

export class Inference {
  readonly #known = new Map<Node, Kind | undefined>();
  /** The members of `this`, by name. */
  readonly #fields = new Map<string, Node>();
  /** What is assigned to names after their declaration: `let nsp; nsp = app.io.of('/')`. */
  readonly #assigned = new Map<Binding, Node>();
  readonly #isInIo: boolean;
  readonly #isApplication: boolean;

  constructor(file: string, root: Node) {
    // Parameters named `socket` are sockets of Socket.IO only in files that use it.
    this.#isInIo = /(^|\/)app\/io\//.test(file) || usesIo(root);
    this.#isApplication = /(^|\/)app\/extend\/(application|agent)(\.\w+)?\.[cm]?[jt]s$/.test(file);
    for (const each of descendants(root)) {
      if (each.type === 'AssignmentExpression') this.#noteAssignment(unwrap(each.left), node(each.right));
      if (each.type === 'PropertyDefinition') this.#noteField(each, node(each.value));
      if (each.type === 'MethodDefinition' && each.kind === 'get') {
        const [first] = nodes(node(node(each.value)?.body)?.body);
        if (first?.type === 'ReturnStatement') this.#noteField(each, node(first.argument));
      }
    }
  }

  /** What an expression stands for, if that can be inferred. */
  kindOf(expression: unknown): Kind | undefined {
    const each = unwrap(expression);
    if (!each) return undefined;
    if (!this.#known.has(each)) {
      // A name may be declared by itself: `const a = a.b`.
      this.#known.set(each, undefined);
      this.#known.set(each, this.#infer(each));
    }
    return this.#known.get(each);
  }

  /** What a member stands for. */
  memberKind(of: Kind | undefined, name: string): Kind | undefined {
    const members = of && MEMBERS[of];
    if (members && Object.hasOwn(members, name)) return members[name];
    if (of === 'this') {
      if (name === 'io' && this.#isApplication) return 'server';
      return this.kindOf(this.#fields.get(name)) ?? named(name);
    }
    // `get`, `set` and others of a Map are no elements of it.
    if (of !== undefined) return undefined;
    return name === 'adapter' ? 'adapter' : named(name);
  }

  /** The value that an expression has been declared with. */
  valueOf(expression: unknown): Node | undefined {
    const each = unwrap(expression);
    if (each?.type !== 'Identifier') return each;
    const binding = bindingOf(each);
    return binding && binding.path.length === 0 ? unwrap(binding.value) : undefined;
  }

  #noteAssignment(left: Node | undefined, right: Node | undefined): void {
    const binding = left?.type === 'Identifier' ? bindingOf(left) : undefined;
    if (binding && right && !this.#assigned.has(binding)) this.#assigned.set(binding, right);
    const isField = left?.type === 'MemberExpression' && unwrap(left.object)?.type === 'ThisExpression';
    const name = isField ? nameOf(left.property, left.computed) : undefined;
    if (name && right) this.#fields.set(name, right);
  }

  #noteField({ key, computed }: Node, value: Node | undefined): void {
    const name = nameOf(key, computed);
    if (name && value) this.#fields.set(name, value);
  }

  #infer(each: Node): Kind | undefined {
    switch (each.type) {
      case 'ThisExpression':
        return this.#thisKind(each);
      case 'Identifier':
        return this.#bindingKind(bindingOf(each));
      case 'MemberExpression': {
        const of = this.kindOf(each.object);
        const name = nameOf(each.property, each.computed);
        if (each.computed && of && INDEXED[of]) return INDEXED[of];
        return name === undefined ? undefined : this.memberKind(of, name);
      }
      case 'CallExpression':
        return this.#callKind(each);
      case 'AssignmentExpression':
        return this.kindOf(each.right);
      case 'LogicalExpression':
        return this.kindOf(each.left) ?? this.kindOf(each.right);
      case 'ConditionalExpression':
        return this.kindOf(each.consequent) ?? this.kindOf(each.alternate);
      default:
        return undefined;
    }
  }

  #callKind(call: Node): Kind | undefined {
    const callee = unwrap(call.callee);
    const method = callee?.type === 'MemberExpression' ? nameOf(callee.property, callee.computed) : undefined;
    if (!callee || method === undefined) return undefined;
    const of = this.kindOf(callee.object);
    if (method === 'of') {
      const isPath = text(nodes(call.arguments)[0])?.startsWith('/');
      return of === 'server' || (of === undefined && isPath) ? 'namespace' : undefined;
    }
    if (method === 'get' && of) return ELEMENTS[of];
    if (!/^(to|in|except|compress|timeout)$/.test(method)) return undefined;
    if (of === 'server' || of === 'namespace' || of === 'operator') return 'operator';
    if (of === 'context' || of === 'socket' || of === 'socket operator') return 'socket operator';
    return undefined;
  }

  #bindingKind(binding: Binding | undefined): Kind | undefined {
    if (!binding) return undefined;
    const { value, path, parameter, annotation, name } = binding;
    if (value && isImport(value)) return undefined;
    if (!parameter && path.length === 0) {
      return (
        this.kindOf(value) ?? this.kindOf(this.#assigned.get(binding)) ?? named(name) ?? this.#typeKind(annotation)
      );
    }
    const from = value ? this.kindOf(value) : parameter && this.#parameterKind(binding);
    const [first, ...rest] = path;
    if (first === undefined) return from ?? this.#typeKind(annotation);
    // `({ io }) => {}`: what has no known kind is taken for the application or a context.
    const start = this.memberKind(from, first) ?? (parameter && first !== 'socket' ? PARAMETERS.get(first) : undefined);
    return rest.reduce<Kind | undefined>((of, member) => (of ? this.memberKind(of, member) : undefined), start);
  }

  #parameterKind({ parameter, name, path, annotation }: Binding): Kind | undefined {
    if (!parameter) return undefined;
    const kind = this.#listenerKind(parameter.of, parameter.index) ?? this.#typeKind(annotation);
    if (kind || path.length > 0) return kind;
    return name === 'socket' && !this.#isInIo ? undefined : PARAMETERS.get(name);
  }

  /** The first parameter of `nsp.on('connection', (socket) => {})` and of `nsp.use((socket, next) => {})`. */
  #listenerKind(of: Node, index: number): Kind | undefined {
    const call = of.parent;
    const callee = call?.type === 'CallExpression' && index === 0 ? unwrap(call.callee) : undefined;
    if (!call || callee?.type !== 'MemberExpression') return undefined;
    const kind = this.kindOf(callee.object);
    if (kind !== 'server' && kind !== 'namespace') return undefined;
    const method = nameOf(callee.property, callee.computed);
    const event = text(nodes(call.arguments)[0]);
    const isListener = /^(on|once|addListener)$/.test(method ?? '') && /^connect(ion)?$/.test(event ?? '');
    return isListener || method === 'use' ? 'socket' : undefined;
  }

  #typeKind(annotation: Node | undefined): Kind | undefined {
    const type = node(annotation?.typeAnnotation);
    const name = type?.type === 'TSTypeReference' ? nameOf(type.typeName, false) : undefined;
    return name && this.#isInIo ? TYPES.get(name) : undefined;
  }

  /** In controllers and middleware that are plain functions, `this` is the context. */
  #thisKind(each: Node): Kind {
    let at: Node | undefined = each;
    while (at && !/^Class/.test(at.type)) at = at.parent;
    return at || !this.#isInIo || this.#isApplication ? 'this' : 'context';
  }
}

function bindingOf(identifier: Node): Binding | undefined {
  return (identifier.scope as Scope).find(String(identifier.name));
}

function isImport(value: Node): boolean {
  return /^Import|^(Function|Class)Declaration$/.test(value.type) || isFunction(value);
}

/** Names that only namespaces have. */
function named(name: string): Kind | undefined {
  return /^nsp$|Nsp$/.test(name) ? 'namespace' : undefined;
}

function usesIo(root: Node): boolean {
  for (const child of children(root)) {
    const isIo = child.type === 'MemberExpression' && nameOf(child.property, child.computed) === 'io';
    const of = isIo ? unwrap(child.object) : undefined;
    const ofName = of?.type === 'MemberExpression' ? nameOf(of.property, of.computed) : nameOf(of, false);
    if (ofName && /^app$/.test(ofName)) return true;
    if (usesIo(child)) return true;
  }
  return false;
}
