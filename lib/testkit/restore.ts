// Hears when a test is over: egg-mock restores what was mocked then, and takes what was put on by `mm` off again. Used by kit.ts.

/** egg-mock's `app.mm`. */
export type Mm = (target: object, property: string, value: unknown) => void;

/**
 * Calls `restored` once, when `mm.restore()` is called next.
 *
 * @param restored - must not throw
 */
export function onRestore(mm: Mm, restored: () => void): void {
  const sign = new Proxy(
    {},
    {
      deleteProperty(target, property) {
        restored();
        return Reflect.deleteProperty(target, property);
      },
    },
  );
  mm(sign, 'isInTest', true);
}
