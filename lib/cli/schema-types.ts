// Types of TypeScript that follow from JSON Schemas (draft-07).
import type { JsonSchema } from '../description';

type Node = JsonSchema | boolean | undefined;

/** Converts the schemas of one declaration file. A type that refers to itself needs a name. */
export class SchemaTypes {
  /** The types of `$ref`, by name. */
  readonly named = new Map<string, string>();

  /** Returns the type of the values that a schema accepts. What it does not understand is unknown. */
  typeOf(root: JsonSchema): string {
    const names = new Map<string, string>();
    const reference = (pointer: string): string => {
      const known = names.get(pointer);
      if (known !== undefined) return known;
      const target = pointer === '#' ? root : lookUp(root, pointer);
      if (target === undefined) return 'unknown';
      const name = `Type${this.named.size + 1}`;
      names.set(pointer, name);
      this.named.set(name, 'unknown');
      this.named.set(name, convert(target, reference));
      return name;
    };
    return convert(root, reference);
  }
}

type Reference = (pointer: string) => string;

function convert(node: Node, reference: Reference): string {
  if (node === false) return 'never';
  if (typeof node !== 'object' || node === null) return 'unknown';
  if (typeof node.$ref === 'string') return node.$ref.startsWith('#') ? reference(node.$ref) : 'unknown';
  if ('const' in node) return literal(node.const);
  if (Array.isArray(node.enum)) return union(node.enum.map(literal));
  const parts: string[] = [];
  for (const key of ['anyOf', 'oneOf'] as const) {
    const options = node[key];
    if (Array.isArray(options)) parts.push(union(options.map((each) => convert(each, reference))));
  }
  if (Array.isArray(node.allOf)) parts.push(...node.allOf.map((each) => convert(each, reference)));
  const own = union(typesIn(node).map((type) => ofType(type, node, reference)));
  if (own !== 'never') parts.unshift(own);
  return intersection(parts);
}

/** Returns the values of `type`. Some libraries leave it out. */
function typesIn(node: JsonSchema): unknown[] {
  if (node.type !== undefined) return [node.type].flat();
  if (node.properties !== undefined) return ['object'];
  return node.items !== undefined ? ['array'] : [];
}

function ofType(type: unknown, node: JsonSchema, reference: Reference): string {
  switch (type) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return type;
    case 'integer':
      return 'number';
    case 'array':
      return arrayOf(node, reference);
    case 'object':
      return objectOf(node, reference);
    default:
      return 'unknown';
  }
}

function arrayOf(node: JsonSchema, reference: Reference): string {
  const { items } = node;
  if (!Array.isArray(items)) return `${parenthesized(convert(items as Node, reference))}[]`;
  const required = typeof node.minItems === 'number' ? node.minItems : items.length;
  const elements = items.map((item, index) => {
    const type = convert(item, reference);
    return index < required ? type : `${parenthesized(type)}?`;
  });
  const rest = node.additionalItems as Node;
  if (rest !== undefined && rest !== false) elements.push(`...${parenthesized(convert(rest, reference))}[]`);
  return `[${elements.join(', ')}]`;
}

function objectOf(node: JsonSchema, reference: Reference): string {
  const properties = Object.entries((node.properties ?? {}) as Record<string, Node>);
  const required = Array.isArray(node.required) ? node.required : [];
  const members = properties.map(
    ([key, value]) => `${propertyName(key)}${required.includes(key) ? '' : '?'}: ${convert(value, reference)}`,
  );
  const { additionalProperties: additional, patternProperties } = node;
  const values = Object.values((patternProperties ?? {}) as Record<string, Node>);
  if (additional !== undefined && additional !== false) values.unshift(additional as Node);
  if (members.length === 0 && values.length === 0) {
    return additional === false ? 'Record<string, never>' : 'Record<string, unknown>';
  }
  // An index signature must accept the other members as well.
  const index = union(members.length > 0 ? ['unknown'] : values.map((value) => convert(value, reference)));
  if (values.length > 0) members.push(`[key: string]: ${index}`);
  return `{ ${members.join('; ')} }`;
}

/** Returns the key of a member of a type: quoted, unless it is a name. */
export function propertyName(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key);
}

/** Returns a literal string. JSON permits line separators, which end a line of TypeScript. */
export function quoted(value: string): string {
  const json = JSON.stringify(value).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'");
  return `'${json.replace(/[\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`)}'`;
}

function literal(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  return typeof value === 'object' && value !== null ? 'unknown' : String(value);
}

function union(types: string[]): string {
  const distinct = [...new Set(types)];
  if (distinct.includes('unknown')) return 'unknown';
  return distinct.filter((type) => type !== 'never' || distinct.length === 1).join(' | ') || 'never';
}

function intersection(types: string[]): string {
  const distinct = [...new Set(types)].filter((type) => type !== 'unknown');
  if (distinct.length < 2) return distinct[0] ?? 'unknown';
  return distinct.map(parenthesized).join(' & ');
}

/** A union or an intersection as a part of another type. Parentheses that are not needed do no harm. */
function parenthesized(type: string): string {
  return /[|&]/.test(type) ? `(${type})` : type;
}

/** Returns what a JSON pointer refers to. */
function lookUp(root: JsonSchema, pointer: string): Node {
  let node: unknown = root;
  for (const segment of pointer.slice(2).split('/')) {
    const key = decoded(segment).replace(/~1/g, '/').replace(/~0/g, '~');
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined;
    node = (node as JsonSchema)[key];
  }
  return node as Node;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
