// Examines an application: reads its files and applies the rules.
import fs from 'node:fs';
import path from 'node:path';
import { findApi } from './api';
import { Configuration } from './configuration';
import { Inference } from './inference';
import { findPackages } from './manifest';
import { findModules } from './modules';
import { type Match, RULES, type Rule, type RuleName } from './rules';
import { isGenerated, sourceFiles } from './source-files';
import { loadParser, type Node } from './syntax';

export interface Finding {
  /** Relative to the directory. */
  file: string;
  line: number;
  column: number;
  rule: RuleName;
  /** The source text. */
  found: string;
  instead: string;
  /** The page and its anchor. */
  docs: string;
  /** If it works with `config.io.compat`. */
  compat: boolean;
}

/** A file that cannot be read, or has a syntax error. */
export interface Unreadable {
  file: string;
  line: number;
  message: string;
}

export interface Examination {
  directory: string;
  /** The number of files that were read. */
  files: number;
  findings: Finding[];
  errors: Unreadable[];
  /** Files that are minified or generated. */
  skipped: string[];
}

interface Place {
  file: string;
  match: Match;
}

const MANIFEST = 'package.json';
/** In characters. */
const LONGEST_EXCERPT = 90;

/** Examines the application in a directory. */
export async function examine(directory: string): Promise<Examination> {
  const parser = await loadParser();
  const configuration = new Configuration();
  const places: Place[] = [];
  const errors: Unreadable[] = [];
  const skipped: string[] = [];
  const texts = new Map<string, string>();

  const read = (file: string, find: (text: string) => Iterable<Match>) => {
    try {
      const text = fs.readFileSync(path.join(directory, file), 'utf8');
      if (isGenerated(text)) {
        skipped.push(file);
        return;
      }
      texts.set(file, text);
      places.push(...[...find(text)].map((match) => ({ file, match })));
    } catch (err) {
      errors.push(unreadable(file, err));
    }
  };

  for (const file of sourceFiles(directory)) {
    read(file, (text) => {
      const root: Node = parser.parse(file, text);
      const inference = new Inference(file, root);
      return [...findApi(root, inference), ...findModules(root), ...configuration.read(file, root, inference)];
    });
  }
  if (fs.existsSync(path.join(directory, MANIFEST))) {
    read(MANIFEST, (text) => findPackages(parser.parseJson(text), configuration));
  }
  const unguarded = configuration.unguarded();
  if (unguarded) places.push(unguarded);

  const findings = places.map(({ file, match }) => {
    // What generateId returns is most often the id of a user.
    const isUser = configuration.generatesIds && match.isSocket;
    return findingOf(file, texts.get(file) ?? '', isUser ? { ...match, rule: 'sockets-by-user' } : match);
  });
  findings.sort((one, other) => compare(one.file, other.file) || one.line - other.line || one.column - other.column);
  return { directory, files: texts.size, findings: findings.filter(isFirst), errors, skipped };
}

function findingOf(file: string, text: string, { rule, start, end, note }: Match): Finding {
  const before = text.slice(0, start).split('\n');
  const { instead, docs, compat }: Rule = RULES[rule];
  return {
    file,
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
    rule,
    found: excerpt(text.slice(start, end)),
    instead: note ? `${instead}; ${note}` : instead,
    docs: `docs/en/migration.md#${docs}`,
    compat: compat ?? false,
  };
}

function excerpt(source: string): string {
  const [first = ''] = source.split(/\r?\n/);
  const shown = first.slice(0, LONGEST_EXCERPT);
  return shown === source ? source : `${shown} …`;
}

/** One finding of a rule in a line is enough. The findings are sorted. */
function isFirst({ file, line, rule }: Finding, index: number, all: Finding[]): boolean {
  return !all.slice(0, index).some((other) => other.file === file && other.line === line && other.rule === rule);
}

function unreadable(file: string, err: unknown): Unreadable {
  const { message, loc } = err as Error & { loc?: { line: number } };
  return { file, line: loc?.line ?? 1, message: message.replace(/\s*\(\d+:\d+\)$/, '') };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
