// What of Egg's controllers an event calls directly: all forms that a file may export, and what Egg has to run itself.
import assert from 'node:assert/strict';
import { directly, remembering } from '../lib/direct';

/** As Egg 3's: a promise for whatever it calls. */
function initialize(exported: any): any {
  if (typeof exported === 'function' && !/^class|classCallCheck/.test(String(exported))) {
    return exported.constructor.name === 'Function' ? initialize(exported('app')) : wrap(exported);
  }
  const methods = typeof exported === 'function' ? exported.prototype : exported;
  const names = Object.getOwnPropertyNames(methods).filter((name) => name !== 'constructor');
  return Object.fromEntries(
    names.map((name) => [name, typeof methods[name] === 'object' ? initialize(methods[name]) : wrap(methods[name])]),
  );
}

function wrap(method: unknown) {
  return async () => `Egg's ${(method as { name: string }).name}`;
}

const made = (exported: unknown) => remembering(initialize)(exported, {});
const ctx = { name: 'ctx' };

describe('controllers called directly', () => {
  class Chat {
    constructor(readonly ctx: unknown) {}
    say(given: unknown) {
      return [this.ctx, given, this instanceof Chat];
    }
    *old() {}
  }

  it('should make an instance of a class for each event, from a factory as well', () => {
    for (const exported of [Chat, () => Chat]) {
      const { say } = made(exported);
      assert.deepEqual(directly(say).call(ctx, ctx), [ctx, ctx, true]);
    }
  });

  it('should call the functions of objects, nested ones and the module itself, with ctx twice', () => {
    const fn = function (this: unknown, given: unknown) {
      return [this, given];
    };
    const object = { fn, nested: { fn } };
    for (const exported of [object, () => object]) {
      const { fn: own, nested } = made(exported);
      for (const method of [own, nested.fn]) assert.deepEqual(directly(method).call(ctx, ctx), [ctx, ctx]);
    }
    const alone = async (given: unknown) => given;
    assert.equal(directly(made(alone)), alone);
  });

  it('should leave to Egg what it does not know: generators, classes of old compilers, any other function', async () => {
    const { old } = made(Chat);
    assert.equal(directly(old), old);
    const { gen } = made({ *gen() {} });
    assert.equal(directly(gen), gen);
    function Old(this: unknown) {
      (globalThis as any)._classCallCheck(this, Old);
    }
    Old.prototype.say = () => 'raw';
    const { say } = made(Old);
    assert.equal(await directly(say)(), "Egg's ");
    // What compilers make of a generator.
    const compiled = Object.setPrototypeOf(() => {}, { constructor: { name: 'GeneratorFunction' } });
    const { gone } = made({ gone: compiled });
    assert.equal(directly(gone), gone);
    // A method that a class has as a getter: Egg has found the one that it hides.
    class Getter extends Chat {}
    Object.defineProperty(Getter.prototype, 'say', { get: () => assert.fail('the getter was called') });
    const hidden = async () => {};
    assert.equal(directly(remembering(() => ({ say: hidden }))(Getter, {}).say), hidden);
    assert.equal(directly(wrap), wrap);
  });
});
