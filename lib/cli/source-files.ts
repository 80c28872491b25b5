// The files of an application that run on the server.
import fs from 'node:fs';
import path from 'node:path';

const DIRECTORIES = ['app', 'config', 'lib', 'typings'];
const FILES = /^(app|agent|tshelper)\.[cm]?[jt]s$/;
const CODE = /\.[cm]?[jt]s$/;
/** Directories that hold packages, code for the browser, or output. */
const SKIPPED = new Set(['node_modules', 'logs', 'run', 'coverage', 'app/public', 'app/view', 'app/web', 'app/assets']);
/** In characters. */
const LONGEST_FILE = 500_000;
/** In characters, on average. A single line may be longer, such as one with a key. */
const LONGEST_LINE = 500;

/** Whether a directory contains an Egg application. */
export function isApplication(directory: string): boolean {
  return ['app', 'config'].some((name) =>
    fs.statSync(path.join(directory, name), { throwIfNoEntry: false })?.isDirectory(),
  );
}

/** Returns the files with code, relative to the directory, sorted. */
export function sourceFiles(directory: string): string[] {
  const files: string[] = [];
  const walk = (relative: string) => {
    for (const entry of fs.readdirSync(path.join(directory, relative), { withFileTypes: true })) {
      const inner = path.posix.join(relative, entry.name);
      if (SKIPPED.has(entry.name) || SKIPPED.has(inner) || entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) walk(inner);
      else if (entry.isFile() && CODE.test(entry.name) && !/\.min\.\w+$/.test(entry.name)) files.push(inner);
    }
  };
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory() && DIRECTORIES.includes(entry.name)) walk(entry.name);
    if (entry.isFile() && FILES.test(entry.name)) files.push(entry.name);
  }
  const all = new Set(files);
  // The compiled form of a file of TypeScript.
  return files.filter((file) => !/\.[cm]?js$/.test(file) || !all.has(file.replace(/js$/, 'ts'))).sort();
}

/** Whether a file is minified or generated. */
export function isGenerated(text: string): boolean {
  return text.length > LONGEST_FILE || text.length > LONGEST_LINE * text.split('\n').length;
}
