// The applications that the pages of the documentation contain.
import fs from 'node:fs';
import path from 'node:path';
import { FRAMEWORK, ROOT } from './app';
import { type Block, blocksOf, type Page } from './pages';

const KINDS = { ts: ['.ts', '.tsx', '.mts'], js: ['.js', '.cjs', '.mjs', '.jsx'] };
export type Kind = keyof typeof KINDS;

/** An application of a page, in TypeScript or in JavaScript. */
export interface PageApp {
  /** For example `docs/en/errors.md:12, in ts`. */
  title: string;
  kind: Kind;
  /** Its blocks by their paths. */
  files: Map<string, Block>;
}

/** Returns the applications of a page. When the path of a block repeats, another application begins, which has the other files of the last one. */
export function appsOf(page: Page): PageApp[] {
  const blocks = blocksOf(page).filter(({ file }) => file !== undefined);
  return (Object.keys(KINDS) as Kind[]).flatMap((kind) => {
    const ofOther = KINDS[kind === 'ts' ? 'js' : 'ts'];
    const apps: PageApp[] = [];
    let files = new Map<string, Block>();
    /** The paths of the current application that are its own. */
    let own = new Set<string>();
    const end = () => {
      const first = Array.from(own, (file) => files.get(file) as Block).find(({ file }) => isCode(file, kind));
      if (first) apps.push({ title: `${page.file}:${first.line}, in ${kind}`, kind, files });
      files = new Map(files);
      own = new Set();
    };
    for (const block of blocks.filter(({ file }) => !ofOther.includes(path.extname(file as string)))) {
      const file = block.file as string;
      if (own.has(file)) end();
      files.set(file, block);
      own.add(file);
    }
    end();
    return apps;
  });
}

const isCode = (file: string | undefined, kind: Kind) => KINDS[kind].includes(path.extname(file ?? ''));

/** Whether Egg loads any of its files. */
export function isServer({ files }: PageApp): boolean {
  return Array.from(files.keys()).some((file) => /^(app|config)\/|^(app|agent)\.[jt]s$/.test(file));
}

/** Writes an application and what it needs to start, but for the files that its page does not have. */
export function writeApp(app: PageApp, baseDir: string, base: PageApp[]): void {
  const write = (file: string, content: string) => {
    const full = path.join(baseDir, file);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    if (!fs.existsSync(full)) fs.writeFileSync(full, content);
  };
  for (const [file, { code }] of app.files) write(file, code);
  // The controllers of the page that all others follow, which their routes may name.
  const first = base.find(({ kind }) => kind === app.kind);
  for (const [file, { code }] of first?.files ?? []) if (file.startsWith('app/io/controller/')) write(file, code);
  write('package.json', JSON.stringify({ name: 'page', egg: { typescript: app.kind === 'ts' } }));
  if (!app.files.has(`config/plugin.${app.kind}`))
    write('config/plugin.js', "exports.io = { enable: true, package: 'egg-socket.io' };\n");
  fs.mkdirSync(path.join(baseDir, 'node_modules'));
  fs.symlinkSync(FRAMEWORK, path.join(baseDir, 'node_modules/egg'));
  fs.symlinkSync(ROOT, path.join(baseDir, 'node_modules/egg-socket.io'));
}
