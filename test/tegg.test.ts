// The decorators of egg-socket.io/tegg without tegg: what they collect and refuse. test/newest runs controllers with the real one.
import assert from 'node:assert/strict';
import { Ack, Args, Context, IoController, IoEvent } from '../lib/tegg/decorators';
import { methodsOf } from '../lib/tegg/metadata';

type ParameterDecorator = ReturnType<typeof Args>;
/** A decorator of a method, with any arguments. */
type Decorate = (target: object, method: unknown, third: unknown) => void;

/** Decorates a method of a class, as TypeScript compiles that. */
function decorate(
  clazz: { prototype: object },
  method: string,
  events: string[],
  ...parameters: ParameterDecorator[]
): void {
  for (const [position, each] of parameters.entries()) each(clazz.prototype, method, position);
  for (const event of events) (IoEvent(event) as Decorate)(clazz.prototype, method, {});
}

describe('decorators of egg-socket.io/tegg', () => {
  class Base {
    say() {}
    over() {}
    again() {}
  }
  class Derived extends Base {
    override over() {}
    override again() {}
    own() {}
  }
  decorate(Base, 'say', ['say'], Args(0));
  decorate(Base, 'over', ['over'], Args(0), Ack());
  decorate(Base, 'again', ['again', 'twice'], Args(0));
  decorate(Derived, 'over', [], Context());
  decorate(Derived, 'again', ['again']);
  decorate(Derived, 'own', ['own']);

  const described = (clazz: typeof Base) =>
    Array.from(methodsOf(clazz), ([name, { events, parameters }]) => [
      name,
      ...events,
      ...Array.from(parameters.values(), ({ type }) => `@${type}`),
    ]);

  it('should be inherited, and replace those of the same method that are inherited', () => {
    assert.deepEqual(described(Derived), [
      ['say', 'say', '@args'],
      ['over', 'over', '@context'],
      ['again', 'again', '@args'],
      ['own', 'own'],
    ]);
    assert.deepEqual(described(Base), [
      ['say', 'say', '@args'],
      ['over', 'over', '@args', '@ack'],
      ['again', 'again', 'twice', '@args'],
    ]);
  });

  it('should be refused at static methods and constructors, and as decorators of ECMAScript', () => {
    const refused = { name: 'EggSocketIOConfigError', message: /allowed: methods of objects .*experimentalDecorators/ };
    assert.throws(() => (IoEvent('say') as Decorate)(Base, 'say', {}), refused);
    assert.throws(() => Args(0)(Base, undefined, 0), refused);
    assert.throws(() => (IoEvent('say') as Decorate)(Base.prototype.say, { kind: 'method' }, undefined), refused);
    assert.deepEqual(described(Function as never), []);
  });

  it('should refuse unknown options: middleware of a wrong name must not be missing without a word', () => {
    for (const options of ['/chat', { namespace: '/chat', connectionMiddleware: ['login'] }, null]) {
      assert.throws(() => IoController(options as object)(Base), {
        name: 'EggSocketIOConfigError',
        message:
          /@IoController\(\) of Base is invalid .*allowed: an object with namespace, connection, packet, protoName/,
      });
    }
  });
});
