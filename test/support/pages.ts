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
const ALONE = /^`([\w./-]+\.\w+)`$/;
/** Words around the path, with a colon at the end, a Chinese one included. */
const WITH_WORDS =
  /^[^`]*`([\w./-]+\/[\w.-]+\.(?:ts|js|mjs|cjs|json|html|vue|tsx)|(?:app|agent|client|start|package|tsconfig)\.\w+)`[^`]*[:：]$/;

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
      const before = page.text.slice(0, index).trimEnd();
      const last = before.slice(before.lastIndexOf('\n') + 1).trim();
      const [, file] = ALONE.exec(last) ?? WITH_WORDS.exec(last) ?? [];
      const code = body.replace(new RegExp(`^${indent}`, 'gm'), '');
      const line = page.text.slice(0, index + block.indexOf('\n') + 1).split('\n').length;
      return { page, line, language, code, ...(file && { file }) };
    },
  );
}
