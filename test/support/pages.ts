// The pages of the documentation: README and docs, in both languages.
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './app';

export const LANGUAGES = ['en', 'zh-CN'] as const;
export type Language = (typeof LANGUAGES)[number];

export interface Page {
  /** Path in the repository. */
  file: string;
  /** The same for both languages: `README` or, for example, `recipes/online`. */
  name: string;
  text: string;
}

/** A block of code. */
export interface Block {
  page: Page;
  /** The line at which its code begins. */
  line: number;
  language: string;
  code: string;
  /** The file that the block is, if it is a whole one: the line before it has its path. */
  file?: string;
}

const READMES: Record<Language, string> = { en: 'README.md', 'zh-CN': 'README.zh-CN.md' };
const BLOCK = /^( *)```(\w*)[^\n]*\n(.*?)^ *```$/gms;
/**
 * A paragraph that is a path, or that ends with a colon and begins with a path, or has no other code than a path. The colon of Chinese texts
 * counts, too.
 */
const PATH = /^`([\w./-]+\.\w+)`(?:$|.*[:：]$)|^[^`]*`([\w./-]+\.\w+)`[^`]*[:：]$/s;
/** The names of files by the languages of their blocks. */
const ENDINGS: Record<string, RegExp> = {
  ts: /\.m?ts$/,
  tsx: /\.tsx$/,
  js: /\.[mc]?js$/,
  jsx: /\.jsx$/,
  vue: /\.vue$/,
  json: /\.json$/,
  html: /\.html$/,
};

/** Returns the README and all pages of a language that exist. */
export function pagesOf(language: Language): Page[] {
  const directory = path.join(ROOT, 'docs', language);
  const names = fs.existsSync(directory) ? fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }) : [];
  const pages = names
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => page(`docs/${language}/${name}`, name.replace(/\.md$/, '')));
  const readme = READMES[language];
  return fs.existsSync(path.join(ROOT, readme)) ? [page(readme, 'README'), ...pages] : pages;
}

export function page(file: string, name: string): Page {
  return { file, name, text: fs.readFileSync(path.join(ROOT, file), 'utf8') };
}

export function blocksOf(page: Page): Block[] {
  return Array.from(
    page.text.matchAll(BLOCK),
    ({ 0: block, 1: indent = '', 2: language = '', 3: body = '', index }) => {
      const paragraph = page.text
        .slice(0, index)
        .trim()
        .split(/\n\s*\n/)
        .at(-1) as string;
      const [, begin, only] = PATH.exec(paragraph) ?? [];
      const code = body.replace(new RegExp(`^${indent}`, 'gm'), '');
      // If the path is within a sentence, the block may be a part of the file.
      const named = begin ?? (/^(export|module\.exports|exports)\b/m.test(code) ? only : undefined);
      const isFile = named !== undefined && !code.startsWith(' ') && ENDINGS[language]?.test(named);
      const file = isFile ? named : undefined;
      const line = page.text.slice(0, index + block.indexOf('\n') + 1).split('\n').length;
      return { page, line, language, code, ...(file && { file }) };
    },
  );
}
