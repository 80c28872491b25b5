// The private members of the Redis adapters that the plugin uses: an application with config.io.redis does not start without them.
import assert from 'node:assert/strict';
import { assertRedisAdapters, REDIS_MEMBERS, REDIS_SAMPLE } from '../lib/internals/redis-adapters';

/** An object that lacks a member, as after a release that has renamed it. */
function hide<T extends object>(object: T, name: string): T {
  return new Proxy(object, {
    get(target, key) {
      const value: unknown = key === name ? undefined : Reflect.get(target, key);
      const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
      return isObject ? hide(value, name) : value;
    },
  });
}

describe('private members of the Redis adapters', () => {
  it('should all exist in the installed versions', () => {
    assert.doesNotThrow(() => assertRedisAdapters());
  });

  for (const { library, path } of REDIS_MEMBERS) {
    it(`should fail the boot if ${path} of ${library} is missing, and name the supported versions`, () => {
      const sample = { ...REDIS_SAMPLE };
      for (const name of Object.keys(sample) as Array<keyof typeof sample>) {
        if (path.startsWith(`${name}.`)) sample[name] = hide(sample[name], path.split('.').at(-1) as string);
      }
      assert.throws(
        () => assertRedisAdapters(sample),
        (err: Error) => {
          assert(err.message.includes(path), err.message);
          assert.match(err.message, /is not supported: .* is missing\. Supported: [\w.@/-]+ \S*\d/);
          return true;
        },
      );
    });
  }
});
