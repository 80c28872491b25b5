// Runs the application of docs/en/errors.md: it answers its client as the page says.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { EGG_MAJOR, ROOT, start } from './support/app';
import { appsOf, writeApp } from './support/page-apps';
import { page } from './support/pages';

const errors = page('docs/en/errors.md', 'errors');

describe('docs/en/errors.md', () => {
  const directory = path.join(ROOT, `test/.tmp/errors-docs-${EGG_MAJOR}`);
  beforeEach(() => fs.rmSync(directory, { recursive: true, force: true }));
  after(() => fs.rmSync(directory, { recursive: true, force: true }));

  /** The calls of the client, with the answers in their comments. */
  const calls = [...errors.text.matchAll(/^await socket\.emitWithAck\((.*)\); \/\/ (.*)$/gm)];
  const evaluate = (code: string | undefined) => new Function(`return ${code}`)();

  for (const kind of ['ts', 'js'] as const) {
    it(`should answer as the page says, in ${kind}`, async () => {
      const [app, ...others] = appsOf(errors).filter((each) => each.kind === kind);
      assert(app && others.length === 0, 'the page is one application');
      writeApp(app, directory, []);
      const { connect } = await start('errors-docs', { baseDir: directory, plugins: { development: false } });
      const client = await connect();
      assert.equal(calls.length, 3);
      for (const [line, args, answer] of calls) {
        const [event, ...rest] = evaluate(`[${args}]`);
        assert.deepEqual(await client.emitWithAck(event, ...rest), evaluate(`(${answer})`), line);
      }
    });
  }
});
