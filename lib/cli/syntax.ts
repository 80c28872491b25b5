// Syntax trees of JavaScript and TypeScript files, with the parent and the scope of each node.

/** A node of ESTree, or of what typescript-estree adds to it. */
export interface Node {
  type: string;
  start: number;
  end: number;
  loc: { start: { line: number; column: number } };
  parent?: Node;
  scope?: Scope;
  [field: string]: unknown;
}

/** What a name stands for: a member (`path`) of a value, or a parameter of a function. */
export interface Binding {
  name: string;
  value?: Node;
  /** The names of destructured members. */
  path: string[];
  parameter?: { of: Node; index: number };
  /** The type that TypeScript code gives it. */
  annotation?: Node;
  scope: Scope;
}

export class Scope {
  readonly #bindings = new Map<string, Binding>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  find(name: string): Binding | undefined {
    return this.#bindings.get(name) ?? this.#outer?.find(name);
  }

  /** Declares the names of a pattern. */
  declare(pattern: Node | null | undefined, from: Omit<Binding, 'name' | 'scope'>): void {
    switch (pattern?.type) {
      case 'Identifier': {
        const name = String(pattern.name);
        this.#bindings.set(name, { ...from, annotation: node(pattern.typeAnnotation), name, scope: this });
        break;
      }
      case 'ObjectPattern':
        for (const property of nodes(pattern.properties)) {
          const name = property.type === 'Property' ? nameOf(property.key, property.computed) : undefined;
          const inner = property.type === 'Property' ? property.value : property.argument;
          this.declare(node(inner), { ...from, path: [...from.path, name ?? ''] });
        }
        break;
      case 'ArrayPattern':
        for (const element of nodes(pattern.elements)) this.declare(element, { path: [] });
        break;
      case 'AssignmentPattern':
        this.declare(node(pattern.left), from);
        break;
      case 'RestElement':
        this.declare(node(pattern.argument), { path: [] });
        break;
      case 'TSParameterProperty':
        this.declare(node(pattern.parameter), from);
        break;
    }
  }
}

export interface Parser {
  /** @throws {SyntaxError} with a `loc` */
  parse(file: string, text: string): Node;
  /** Parses JSON, with the position of each key. */
  parseJson(text: string): Node;
}

/** Loads the parser, which only the commands need. */
export async function loadParser(): Promise<Parser> {
  // The parser of TypeScript is an ES module.
  const [acorn, { tsPlugin }] = await Promise.all([import('acorn'), import('@sveltejs/acorn-typescript')]);
  const extended = { ts: acorn.Parser.extend(tsPlugin()), dts: acorn.Parser.extend(tsPlugin({ dts: true })) };
  const options = {
    ecmaVersion: 'latest',
    locations: true,
    allowHashBang: true,
    allowReturnOutsideFunction: true,
    allowAwaitOutsideFunction: true,
    allowImportExportEverywhere: true,
  } as const;

  return {
    parse(file, text) {
      if (/\.[cm]?ts$/.test(file)) {
        const parser = /\.d\.[cm]?ts$/.test(file) ? extended.dts : extended.ts;
        return link(parser.parse(text, { ...options, sourceType: 'module' }) as unknown as Node);
      }
      try {
        return link(acorn.parse(text, { ...options, sourceType: 'module' }) as unknown as Node);
      } catch (err) {
        // Sloppy mode allows more: octal numbers, `with`, `await` as a name.
        try {
          return link(
            acorn.parse(text, {
              ...options,
              sourceType: 'script',
              allowAwaitOutsideFunction: false,
            }) as unknown as Node,
          );
        } catch {
          throw err;
        }
      }
    },
    parseJson(text) {
      const root = acorn.parseExpressionAt(text.replace(/^\uFEFF/, ' '), 0, { ecmaVersion: 'latest', locations: true });
      return link(root as unknown as Node);
    },
  };
}

/** Sets the parent and the scope of all nodes. */
function link(root: Node): Node {
  visit(root, undefined, new Scope());
  return root;
}

function visit(each: Node, parent: Node | undefined, outer: Scope): void {
  const scope = isScope(each) ? new Scope(outer) : outer;
  each.parent = parent;
  each.scope = scope;
  declarations(each, scope, outer);
  for (const child of children(each)) visit(child, each, scope);
}

function isScope(each: Node): boolean {
  return /^(Program|.*Function(Expression|Declaration)?|BlockStatement|For.*Statement|CatchClause)$/.test(each.type);
}

/** Declares what a node declares. `var` is treated as `let`, because code that relies on the difference is rare. */
function declarations(each: Node, scope: Scope, outer: Scope): void {
  if (each.type === 'VariableDeclarator') scope.declare(node(each.id), { value: node(each.init), path: [] });
  if (/^(Function|Class)Declaration$/.test(each.type)) outer.declare(node(each.id), { value: each, path: [] });
  if (/^Import.*Specifier$/.test(each.type)) scope.declare(node(each.local), { value: each, path: [] });
  for (const [index, parameter] of nodes(each.params).entries()) {
    if (isFunction(each)) scope.declare(parameter, { path: [], parameter: { of: each, index } });
  }
}

export function isFunction(each: Node | undefined): boolean {
  return /^(ArrowFunctionExpression|FunctionExpression|FunctionDeclaration)$/.test(each?.type ?? '');
}

const SKIPPED = new Set(['parent', 'scope', 'loc']);

export function* children(each: Node): Generator<Node> {
  for (const [field, value] of Object.entries(each)) {
    if (SKIPPED.has(field)) continue;
    if (Array.isArray(value)) yield* nodes(value);
    else if (isNode(value)) yield value;
  }
}

/** All nodes of a tree. */
export function* descendants(root: Node): Generator<Node> {
  yield root;
  for (const child of children(root)) yield* descendants(child);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** A field that is a node, if it is one. */
export function node(field: unknown): Node | undefined {
  return isNode(field) ? field : undefined;
}

/** The nodes of a field that is a list. */
export function nodes(field: unknown): Node[] {
  return Array.isArray(field) ? field.filter(isNode) : [];
}

const WRAPPERS = new Set([
  'ChainExpression',
  'ParenthesizedExpression',
  'TSAsExpression',
  'TSNonNullExpression',
  'TSSatisfiesExpression',
  'TSTypeAssertion',
]);

/** The expression inside of parentheses, assertions and optional chains. */
export function unwrap(each: unknown): Node | undefined {
  let inner = node(each);
  while (inner && WRAPPERS.has(inner.type)) inner = node(inner.expression);
  return inner;
}

/** The next node above that is no wrapper, and its child of which `each` is the content. */
export function user(each: Node): { parent: Node | undefined; child: Node } {
  let child = each;
  while (child.parent && WRAPPERS.has(child.parent.type)) child = child.parent;
  return { parent: child.parent, child };
}

/** The name of a member or of a key, if it is written in the code. */
export function nameOf(key: unknown, computed: unknown): string | undefined {
  const inner = unwrap(key);
  if (inner?.type === 'Identifier' && !computed) return String(inner.name);
  return text(inner);
}

/** The value of a string. */
export function text(each: unknown): string | undefined {
  const inner = unwrap(each);
  if (inner?.type === 'Literal' && typeof inner.value === 'string') return inner.value;
  const [quasi, ...more] = nodes(inner?.quasis);
  if (inner?.type === 'TemplateLiteral' && quasi && more.length === 0)
    return (quasi.value as { cooked?: string }).cooked;
  return undefined;
}
