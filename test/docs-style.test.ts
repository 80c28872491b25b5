// The samples of the documentation follow eslint-config-egg, the style of applications that `npm init egg` makes. DOCS_FIX=1 corrects them.
// They are the same on both majors of Egg, so this runs only once.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { EGG_MAJOR, ROOT } from './support/app';
import { cleanUp, install } from './support/packed';
import { pagesOf } from './support/pages';

interface Linter {
  lintText(
    code: string,
  ): Promise<{ output?: string; messages: { line: number; ruleId: string | null; message: string }[] }[]>;
}

/** A sample need not declare what it uses, nor use what it declares. */
const OFF = ['no-undef', 'no-unused-vars', '@typescript-eslint/no-unused-vars', 'no-use-before-define'];
const EXTENDS = { js: 'eslint-config-egg', ts: 'eslint-config-egg/typescript' };
/** What is no code: a part of a file, which is indented, an object or an array that something returns, or a signature. */
const NO_CODE = /^( {2}|\{\n {2}\w+:|\[\n|app\.io\.health\(\)|\()/;
const SAMPLE = /^( *)```(js|ts)\n([\s\S]*?)^ *```/gm;

if (EGG_MAJOR === 3) {
  describe('the samples of the documentation', function () {
    // npm installs packages, perhaps from the network.
    this.timeout(300_000);

    const linters = {} as Record<keyof typeof EXTENDS, Linter>;

    before(async () => {
      const home = await install(['eslint@8', 'eslint-config-egg@14', 'typescript@5']);
      const { ESLint } = createRequire(path.join(home, 'index.js'))('eslint');
      for (const [language, name] of Object.entries(EXTENDS) as [keyof typeof EXTENDS, string][]) {
        linters[language] = new ESLint({
          cwd: home,
          fix: true,
          useEslintrc: false,
          baseConfig: {
            root: true,
            extends: name,
            parserOptions: { sourceType: 'module', ecmaVersion: 2022 },
            rules: Object.fromEntries(OFF.map((rule) => [rule, 'off'])),
          },
        });
      }
    });

    after(cleanUp);

    // The code of the other language is the same: see docs-parity.test.ts.
    for (const { file: page, text } of pagesOf('en')) {
      it(`should follow eslint-config-egg in ${page}`, async () => {
        const faults: string[] = [];
        let corrected = '';
        let end = 0;
        for (const { 0: block, 1: indent = '', 2: language, 3: sample = '', index } of text.matchAll(SAMPLE)) {
          const begin = index + block.indexOf('\n') + 1;
          corrected += text.slice(end, begin);
          end = begin + sample.length;
          const code = sample.replace(new RegExp(`^${indent}`, 'gm'), '');
          const [result] = NO_CODE.test(code) ? [] : await linters[language as keyof typeof EXTENDS].lintText(code);
          const line = text.slice(0, begin).split('\n').length;
          for (const each of result?.messages ?? []) {
            faults.push(`${page}:${line + each.line - 1} ${each.ruleId ?? ''} ${each.message}`);
          }
          if (result?.output !== undefined) faults.push(`${page}:${line} is corrected by DOCS_FIX=1`);
          corrected += result?.output?.replace(/^(?=.)/gm, indent) ?? sample;
        }
        if (process.env.DOCS_FIX) fs.writeFileSync(path.join(ROOT, page), corrected + text.slice(end));
        assert.deepEqual(faults, []);
      });
    }

    it('should follow it in the recipes', async () => {
      for (const name of fs.readdirSync(path.join(ROOT, 'docs/recipes'))) {
        const [result] = await linters.js.lintText(fs.readFileSync(path.join(ROOT, 'docs/recipes', name), 'utf8'));
        assert.deepEqual(result?.messages, [], name);
        assert.equal(result?.output, undefined, name);
      }
    });
  });
}
