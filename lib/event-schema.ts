// The schema of an event at run time. Checks the arguments that a client sends and, while the application is developed, what its handler
// answers.
import type { Context } from 'egg';
import { setArgs } from './context';
import { type ArgumentIssue, ConfigError, InvalidArgumentsError, isPromise, toError } from './errors';
import type { Middleware } from './types/context';
import type { EventSchema, SchemaIssue, SchemaResult, StandardSchema } from './types/schema';

/** How many issues a client is told. */
const MAX_ISSUES = 10;
/** How many characters of the message of an issue a client is told. */
const MAX_MESSAGE = 200;
/** How many keys of a path a client is told, and how many characters of a key. */
const MAX_PATH = 10;
const MAX_KEY = 100;
/** How many characters of a path the message of an error has. */
const MAX_SHOWN_PATH = 100;

const KEYS = ['args', 'ack'];
const EXAMPLE = '{ args: [schema, …], ack: schema }, with schemas of a library that implements Standard Schema';

type Acknowledge = (...answer: unknown[]) => void;

/** Whether an element of a route is meant as a schema: a plain object, or by mistake the schema of a single value, which may be a function. */
export function isMeantAsSchema(given: unknown): given is object {
  if (typeof given === 'function') return isStandardSchema(given);
  if (typeof given !== 'object' || given === null) return false;
  return '~standard' in given || Object.getPrototypeOf(given) === Object.prototype;
}

function isStandardSchema(given: unknown): given is StandardSchema {
  if ((typeof given !== 'object' && typeof given !== 'function') || given === null) return false;
  const standard = (given as Partial<StandardSchema>)['~standard'];
  return standard?.version === 1 && typeof standard.validate === 'function';
}

/** Checks the arguments and the answers of an event by its schema. */
export class Validator {
  readonly schema: EventSchema;
  /** Whether there is an `ack` schema, and answers are checked. */
  readonly checksAnswers: boolean;

  /**
   * @param given - the schema
   * @param where - the route, for messages
   * @param checksAnswers - whether answers are checked
   * @throws {ConfigError} if it is no schema of an event
   */
  constructor(
    given: object,
    private readonly where: string,
    checksAnswers: boolean,
  ) {
    this.schema = schemaOf(given, `schema of ${where}`);
    this.checksAnswers = checksAnswers && this.schema.ack !== undefined;
  }

  /** Checks the arguments of the packet. `ctx.args` are the parsed values, then the acknowledgement function. */
  readonly middleware: Middleware = async (ctx, next) => {
    const args: unknown[] = ctx.packet.slice(1);
    const ack = typeof args.at(-1) === 'function' ? (args.pop() as Acknowledge) : undefined;
    const values = this.schema.args === undefined ? args : await parse(this.schema.args, args);
    const own = this.#acknowledge(ack, ctx);
    setArgs(ctx, own === undefined ? values : [...values, own]);
    return next();
  };

  /** The acknowledgement function for the handler. With an `ack` schema there is always one, which does nothing if no client waits for it. */
  #acknowledge(ack: Acknowledge | undefined, ctx: Context): Acknowledge | undefined {
    const { ack: schema } = this.schema;
    if (schema === undefined) return ack;
    if (!this.checksAnswers) return ack ?? ignore;
    return (...answer) => {
      let sent = answer;
      try {
        const result = validateAnswer(schema, answer[0]);
        // The function returns nothing that could be awaited: a schema that is async checks only what a handler returns.
        if (isPromise(result)) result.then(ignore, ignore);
        else this.#assert(result);
      } catch (thrown) {
        // Not thrown: if a timer calls the function, nothing would catch the error, and the worker would end.
        const err = toError(thrown);
        ctx.app.coreLogger.error(err);
        sent = [{ error: { message: err.message } }];
      }
      ack?.(...sent);
    };
  }

  /**
   * Checks what a handler has returned as its answer.
   *
   * @throws {TypeError} if it is not what the `ack` schema describes
   */
  async checkAnswer(answer: unknown): Promise<void> {
    const { ack: schema } = this.schema;
    if (schema !== undefined) this.#assert(await validateAnswer(schema, answer));
  }

  #assert(result: SchemaResult<unknown>): void {
    if (!result.issues) return;
    const [issue] = shorten(result.issues, []);
    throw new TypeError(`the answer of ${this.where} is not what its ack schema describes: ${describe(issue)}`);
  }
}

function ignore(): void {}

/** An error as the answer is valid with any schema: `{ error: { message } }` is what the plugin itself answers. */
function validateAnswer(
  schema: StandardSchema,
  answer: unknown,
): SchemaResult<unknown> | Promise<SchemaResult<unknown>> {
  const error = (answer as { error?: { message?: unknown } } | null | undefined)?.error;
  if (typeof error?.message === 'string') return { value: answer };
  return schema['~standard'].validate(answer);
}

/**
 * Returns the parsed arguments: one for each schema. A missing argument is undefined.
 *
 * @throws {InvalidArgumentsError} if an argument is not what its schema describes, or if there are more arguments than schemas
 * @throws what a schema throws
 */
async function parse(schemas: readonly StandardSchema[], args: readonly unknown[]): Promise<unknown[]> {
  if (args.length > schemas.length) {
    const message = `expected ${schemas.length} arguments at most, received ${args.length}`;
    throw invalid([{ path: [schemas.length], message }]);
  }
  let isValid = true;
  const errors: ArgumentIssue[] = [];
  const values: unknown[] = [];
  for (const [index, schema] of schemas.entries()) {
    const validating = schema['~standard'].validate(args[index]);
    const result = isPromise(validating) ? await validating : validating;
    if (result.issues) {
      isValid = false;
      errors.push(...shorten(result.issues, [index]));
    } else values.push(result.value);
  }
  if (!isValid) throw invalid(errors.slice(0, MAX_ISSUES));
  return values;
}

function invalid(errors: ArgumentIssue[]): InvalidArgumentsError {
  return new InvalidArgumentsError(`invalid arguments: ${describe(errors[0])}`, errors);
}

/** Returns the first issues, shortened: a library may report one for each element of what a client has sent. */
function shorten(issues: readonly SchemaIssue[], prefix: number[]): ArgumentIssue[] {
  return first(issues, MAX_ISSUES).map(({ message, path = [] }) => ({
    path: [...prefix, ...first(path, MAX_PATH).map(keyOf)],
    message: String(message).slice(0, MAX_MESSAGE),
  }));
}

/** Returns an Array: slice() and map() of a subclass, which arktype has for issues and paths, create another object of that subclass. */
function first<T>(list: readonly T[], count: number): T[] {
  return Array.from(list).slice(0, count);
}

function keyOf(segment: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof segment === 'object' ? segment.key : segment;
  return typeof key === 'number' ? key : String(key).slice(0, MAX_KEY);
}

function describe(issue: ArgumentIssue | undefined): string {
  if (issue === undefined) return 'no issue is named';
  const path = issue.path.join('.').slice(0, MAX_SHOWN_PATH);
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

function schemaOf(given: object, key: string): EventSchema {
  if (isStandardSchema(given)) {
    const value = `a schema of ${given['~standard'].vendor}`;
    throw new ConfigError(key, value, EXAMPLE, `${key} is that of a single value: write { args: [schema] }`);
  }
  const { args, ack } = given as { args?: unknown; ack?: unknown };
  const unknown = Object.keys(given).find((name) => !KEYS.includes(name));
  if (unknown !== undefined) throw new ConfigError(key, given, EXAMPLE, `${key} has an unknown key: ${unknown}`);
  if (args === undefined && ack === undefined) throw new ConfigError(key, given, EXAMPLE, `${key} is empty`);
  if (args !== undefined) assertArguments(args, 'args', ` in the ${key}`);
  if (ack !== undefined) assertSchema(ack, `ack in the ${key}`);
  return given as EventSchema;
}

/**
 * @param name - the array, for messages
 * @throws {ConfigError} if it is no array of schemas
 */
export function assertArguments(given: unknown, name: string, where = ''): void {
  if (!Array.isArray(given)) {
    throw new ConfigError(`${name}${where}`, given, 'an array of schemas, one for each argument');
  }
  for (const [index, schema] of given.entries()) assertSchema(schema, `${name}[${index}]${where}`);
}

function assertSchema(given: unknown, key: string): void {
  if (!isStandardSchema(given)) {
    throw new ConfigError(
      key,
      given,
      'a schema of a library that implements Standard Schema, such as zod, valibot or arktype',
    );
  }
}
