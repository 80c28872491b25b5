// The sentences of the READMEs are short. Code, tables, headings and pictures are no prose; an item of a list is at least one sentence.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { EGG_MAJOR, ROOT } from './support/app';

/** In words. Code in a sentence is one word, and so is a word of Chinese. */
const LONGEST = 30;
const MEAN = 15;
const LINES = 300;

/** Returns the sentences of the prose of a page. */
function sentencesOf(text: string): string[] {
  const prose = text
    .replace(/^---\n.*?^---\n/ms, '')
    .replace(/^( *)```.*?^ *```$/gms, '')
    .replace(/^ *(#|\||<|!\[).*$/gm, '')
    .replace(/`[^`]+`/g, 'code')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/https?:\/\/\S+/g, 'address')
    .replace(/\*\*/g, '');
  const paragraphs = prose.split(/\n\s*\n|^ *(?:[-*]|\d+\.) /m);
  return paragraphs
    .flatMap((each) => each.replace(/\s+/g, ' ').split(/(?<=[.!?]) |(?<=[。！？])/))
    .map((each) => each.trim())
    .filter((each) => /\p{L}/u.test(each));
}

const segmenters = {
  en: new Intl.Segmenter('en', { granularity: 'word' }),
  zh: new Intl.Segmenter('zh', { granularity: 'word' }),
};

function wordsOf(sentence: string): number {
  const segmenter = /\p{Script=Han}/u.test(sentence) ? segmenters.zh : segmenters.en;
  // 4.1.6 and egg-socket.io are one word in English.
  if (segmenter === segmenters.en) return sentence.split(' ').filter((each) => /[\p{L}\p{N}]/u.test(each)).length;
  return Array.from(segmenter.segment(sentence)).filter(({ isWordLike }) => isWordLike).length;
}

if (EGG_MAJOR === 3) {
  for (const page of ['README.md', 'README.zh-CN.md'].filter((name) => fs.existsSync(path.join(ROOT, name)))) {
    describe(page, () => {
      const text = fs.readFileSync(path.join(ROOT, page), 'utf8');
      const sentences = sentencesOf(text).map((sentence) => ({ sentence, words: wordsOf(sentence) }));

      it(`should have ${LINES} lines at most`, () => {
        assert(text.trimEnd().split('\n').length <= LINES);
      });

      it(`should have no sentence of more than ${LONGEST} words`, () => {
        assert.deepEqual(
          sentences.filter(({ words }) => words > LONGEST),
          [],
        );
      });

      it(`should have sentences of ${MEAN} words at most, on average`, () => {
        assert(sentences.length > 50, `${sentences.length} sentences`);
        const mean = sentences.reduce((sum, { words }) => sum + words, 0) / sentences.length;
        assert(mean <= MEAN, `${mean.toFixed(1)} words`);
      });
    });
  }

  describe('the count of words', () => {
    it('should leave out code, tables and headings, and count code in a sentence as one word', () => {
      const text =
        '# A title\n\nRun `npm i x`. It works!\n\n- An [item](x.md)\n- another\n\n```js\na b c\n```\n\n| a | b |\n';
      assert.deepEqual(sentencesOf(text).map(wordsOf), [2, 2, 2, 1]);
    });

    it('should count Chinese words', () => {
      assert.deepEqual(sentencesOf('你好，世界。运行 `npm i`。').map(wordsOf), [2, 2]);
    });
  });
}
