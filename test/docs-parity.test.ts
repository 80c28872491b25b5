// The documentation in both languages: the pages correspond, and their links lead somewhere.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { EGG_MAJOR, ROOT } from './support/app';
import { type Heading, headingsOf, imagesOf, isTranslation, linksOf, skeletonOf, tablesOf } from './support/markdown';
import { blocksOf, LANGUAGES, type Page, page, pagesOf } from './support/pages';

const REPOSITORY = 'https://github.com/eggjs/egg-socket.io/blob/master/';
const OTHERS = ['CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'benchmark/README.md'];

/** Returns the file and the anchor of a link to a file of the repository. */
function resolve(from: Page, target: string): { file: string; anchor?: string | undefined } | undefined {
  const isRelative = !/^[a-z]+:/.test(target);
  if (!isRelative && !target.startsWith(REPOSITORY)) return undefined;
  const [name = '', anchor] = target.replace(REPOSITORY, '').split('#');
  const directory = isRelative ? path.dirname(from.file) : '';
  return { file: name === '' ? from.file : path.join(directory, decodeURI(name)), anchor: anchor && decodeURI(anchor) };
}

/** Returns the target that the link of the English page has. */
function inEnglish(from: Page, target: string): string {
  const { file = target, anchor } = resolve(from, target) ?? {};
  const name = file.replace(/(^|\/)zh-CN(?=\/|$)/g, '$1en').replace(/[.-]zh(-CN)?(?=\.\w+$)/, '');
  if (anchor === undefined) return name;
  const translated = name === file ? undefined : headingsIn(file);
  const index = translated?.findIndex(({ anchors }) => anchors.includes(anchor));
  const heading = index === undefined ? undefined : headingsIn(name)?.[index];
  return `${name}#${heading?.anchors.at(-1) ?? anchor}`;
}

function headingsIn(file: string): Heading[] | undefined {
  return fs.existsSync(path.join(ROOT, file)) ? headingsOf(page(file, file)) : undefined;
}

const english = pagesOf('en');
const chinese = new Map(pagesOf('zh-CN').map((each) => [each.name, each]));

if (EGG_MAJOR === 4) {
  describe('the documentation in two languages', () => {
    it('should have all pages in both', () => {
      const names = english.map(({ name }) => name);
      assert.deepEqual([...chinese.keys()].sort(), names.sort());
    });

    for (const original of english) {
      const translation = chinese.get(original.name);
      if (!translation) continue;
      describe(translation.file, () => {
        it('should have the headings of the English page', () => {
          const levels = (of: Page) => headingsOf(of).map(({ level }) => level);
          assert.deepEqual(levels(translation), levels(original));
        });

        it('should have its code, but for comments and for texts in Chinese', () => {
          const expected = blocksOf(original);
          const blocks = blocksOf(translation);
          for (const [index, block] of blocks.entries()) {
            const place: string = `${translation.file}:${block.line}`;
            const { code, texts } = skeletonOf(block);
            const other = skeletonOf(expected[index] ?? block);
            assert.equal(code, other.code, place);
            const pairs = texts.map((text, at) => [text, other.texts[at]]);
            assert.deepEqual(
              pairs.filter(([text = '', english = '']) => !isTranslation(text, english)),
              [],
              place,
            );
          }
          assert.equal(blocks.length, expected.length);
        });

        it('should have its tables', () => {
          assert.deepEqual(tablesOf(translation), tablesOf(original));
        });

        it('should have its images and links', () => {
          const targets = (of: Page) => [...imagesOf(of), ...linksOf(of)].map((target) => inEnglish(of, target)).sort();
          assert.deepEqual(targets(translation), targets(original));
        });
      });
    }
  });

  describe('the links of the documentation', () => {
    const pages = [...LANGUAGES.flatMap(pagesOf), ...OTHERS.map((file) => page(file, file))];
    for (const from of pages) {
      it(`should lead somewhere in ${from.file}`, () => {
        const dead = [...imagesOf(from), ...linksOf(from)].filter((target) => {
          const { file, anchor } = resolve(from, target) ?? {};
          if (file === undefined) return false;
          if (!fs.existsSync(path.join(ROOT, file))) return true;
          if (anchor === undefined || !file.endsWith('.md')) return false;
          return !headingsIn(file)?.some(({ anchors }) => anchors.includes(anchor));
        });
        assert.deepEqual(dead, []);
      });
    }
  });
}
