// What a page of the documentation consists of: headings, links, tables, and the code that a translation keeps.
import { slug } from '../../docs/.vitepress/slug';
import type { Block, Page } from './pages';

const FENCE = /^ *(```+).*?^ *\1 *$/gms;
const CODE = /`[^`\n]+`/g;
const LINK = /(!?)\[(?:[^[\]]|\[[^\]]*\]\([^)]*\))*\]\(([^()\s]+)\)/g;
const IMAGE = /!\[[^\]]*\]\(([^()\s]+)\)|<img[^>]*\ssrc="([^"]+)"/g;
const HTML_LINK = /<a[^>]*\shref="([^"]+)"/g;
/** In the front matter of the home page, without the ending. */
const HOME_LINK = /^ +link: (\.\/\S+)$/gm;
const CELLS = /(?<!\\)\|/;

export interface Heading {
  level: number;
  /** The anchors with which links name it: that of its text, and the ids before it. */
  anchors: string[];
}

const prose = ({ text }: Page) => text.replace(FENCE, '');

export function headingsOf(page: Page): Heading[] {
  const seen = new Map<string, number>();
  let ids: string[] = [];
  const headings: Heading[] = [];
  for (const line of prose(page).split('\n')) {
    ids.push(...Array.from(line.matchAll(/<a (?:id|name)="([^"]+)">/g), ([, id]) => id as string));
    const [, hashes, text] = /^(#+) (.*)$/.exec(line) ?? [];
    if (!hashes || !text) {
      if (line.trim() !== '' && !line.startsWith('<a ')) ids = [];
      continue;
    }
    const anchor = slug(text.replace(/\[([^\]]*)\]\([^)]*\)|<[^>]*>/g, '$1'));
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    headings.push({ level: hashes.length, anchors: [...ids, count > 0 ? `${anchor}-${count}` : anchor] });
    ids = [];
  }
  return headings;
}

/** Returns the targets of all links, images excluded. */
export function linksOf(page: Page): string[] {
  const text = prose(page).replace(CODE, 'code');
  const links = Array.from(text.matchAll(LINK)).filter(([, image]) => !image);
  const html = Array.from(text.matchAll(HTML_LINK), ([, target]) => target as string);
  const home = Array.from(text.matchAll(HOME_LINK), ([, target]) => `${target}.md`);
  return [...links.map(([, , target]) => target as string), ...html, ...home];
}

export function imagesOf(page: Page): string[] {
  return Array.from(prose(page).matchAll(IMAGE), ([, target, source]) => (target ?? source) as string);
}

/** Returns for each table its number of columns, and the code in the first cell of each row, sorted: the order of words differs. */
export function tablesOf(page: Page): { columns: number; codes: string[][] }[] {
  const tables = Array.from(prose(page).matchAll(/(?:^ *\|.*\|$\n?)+/gm), ([table]) => table.trim().split('\n'));
  return tables.map((rows) => ({
    columns: (rows[0] as string).split(CELLS).length,
    codes: rows.map((row) => row.trim().split(CELLS)[1]?.match(CODE)?.sort() ?? []),
  }));
}

const QUOTED = `'(?:[^'\\\\\\n]|\\\\.)*'|"(?:[^"\\\\\\n]|\\\\.)*"`;
/** Comments are the first group of each, texts for people the second. */
const LIKE_JAVASCRIPT = `((?<=^|\\s)\\/\\/.*|\\/\\*[^]*?\\*\\/)|(${QUOTED}|\`(?:[^\`\\\\]|\\\\.)*\`)`;
const LIKE_HTML = `(<!--[^]*?-->|(?<=^|\\s)\\/\\/.*|\\{?\\/\\*[^]*?\\*\\/\\}?)|(${QUOTED}|\`(?:[^\`\\\\]|\\\\.)*\`|(?<=>)[^<>]+(?=<))`;
const LIKE_SHELL = `((?<=^|\\s)#.*)|(${QUOTED})`;
/** Output: any line may be a text. */
const OUTPUT = '(\\b\\B)|(.+)';
const SYNTAX: Record<string, string> = {
  ...Object.fromEntries(['ts', 'js', 'json', 'jsonc'].map((name) => [name, LIKE_JAVASCRIPT])),
  ...Object.fromEntries(['html', 'vue', 'tsx', 'jsx', 'xml'].map((name) => [name, LIKE_HTML])),
  ...Object.fromEntries(['', 'text', 'console', 'mermaid'].map((name) => [name, OUTPUT])),
};

/** Code without its comments, and with each of its texts replaced by a mark. */
export interface Skeleton {
  code: string;
  texts: string[];
}

export function skeletonOf({ code, language, file }: Block): Skeleton {
  const texts: string[] = [];
  const marked = code.replace(
    new RegExp(SYNTAX[language] ?? LIKE_SHELL, 'gm'),
    (_, comment?: string, text?: string) => {
      if (comment !== undefined) return '';
      texts.push(text as string);
      return '§';
    },
  );
  const lines = marked.split('\n').map((line) => line.trimEnd());
  return { code: [language, file, ...lines.filter((line) => line.trim() !== '')].join('\n'), texts };
}

const interpolations = (text: string) => text.match(/\$\{[^}]*\}/g) ?? [];

/** Whether a text of code may stand for another one: it is the same, or it is a Chinese text with the same interpolations. */
export function isTranslation(text: string, original: string): boolean {
  if (text === original) return true;
  return /\p{Script=Han}/u.test(text) && interpolations(text).join() === interpolations(original).join();
}
