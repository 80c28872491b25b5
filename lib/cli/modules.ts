// Packages that a file imports, and names of types, that version 5 does not have.
import { matchOf } from './api';
import type { Match, RuleName } from './rules';
import { descendants, type Node, nameOf, node, nodes, text, unwrap } from './syntax';

/** The interfaces that 4.1.6 adds to the module `egg`. */
const INTERFACES = ['EggIOServer', 'EggSocketNameSpace', 'EggSocketIO'];

export function* findModules(root: Node): Generator<Match> {
  for (const each of descendants(root)) {
    const module = importedBy(each);
    const rule = module === undefined ? undefined : moduleRule(module);
    if (rule) yield matchOf(rule, each);
    if (isSymbolOfPlugin(each)) yield matchOf('internals', each);
    if (each.type === 'Identifier' && INTERFACES.includes(String(each.name))) yield matchOf('typings', each);
    if (each.type === 'TSModuleDeclaration' && text(each.id) === 'egg') yield* findDeclared(each);
    if (each.type === 'Property' && nameOf(each.key, each.computed) === 'watchDirs') yield* findWatchDirs(each);
  }
}

function importedBy(each: Node): string | undefined {
  switch (each.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
      return text(each.source);
    case 'TSExternalModuleReference':
      return text(each.expression);
    case 'CallExpression':
      return nameOf(each.callee, false) === 'require' ? text(nodes(each.arguments)[0]) : undefined;
    default:
      return undefined;
  }
}

function moduleRule(module: string): RuleName | undefined {
  if (module === 'socket.io-redis') return 'redis-adapter';
  if (module === 'socket.io-emitter') return 'redis-emitter';
  return module.startsWith('egg-socket.io/lib/') ? 'internals' : undefined;
}

/** `Symbol.for('EGG-SOCKET.IO#IO')` */
function isSymbolOfPlugin(each: Node): boolean {
  if (each.type !== 'CallExpression' || nameOf(unwrap(each.callee)?.property, false) !== 'for') return false;
  return text(nodes(each.arguments)[0])?.startsWith('EGG-SOCKET.IO#') ?? false;
}

/** `declare module 'egg' { interface Application { io: … } }` */
function* findDeclared(module: Node): Generator<Match> {
  for (const each of descendants(module)) {
    if (each.type !== 'TSInterfaceDeclaration') continue;
    const name = nameOf(each.id, false);
    const member = name === 'Application' ? 'io' : name === 'Context' ? 'socket' : undefined;
    for (const signature of nodes(node(each.body)?.body)) {
      const isDeclared = member !== undefined && nameOf(signature.key, signature.computed) === member;
      if (isDeclared) yield matchOf('declared-io', node(signature.key) ?? signature);
    }
  }
}

/** `watchDirs` of egg-ts-helper that fill an interface of 4.1.6. */
export function* findWatchDirs(watchDirs: Node): Generator<Match> {
  for (const each of descendants(watchDirs)) {
    if (each.type === 'Property' && INTERFACES.includes(text(each.value) ?? '')) yield matchOf('watch-dirs', each);
  }
}
