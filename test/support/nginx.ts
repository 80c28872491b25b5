// nginx with the configuration of docs/en/deployment.md, as a proxy for applications that tests have started.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from './app';
import { freePort } from './port';
import { until, within } from './wait';

/** A running nginx. */
export interface Nginx {
  url: string;
  /** Returns the error log. */
  log(): string;
  close(): Promise<void>;
}

/** Returns the examples of docs/en/deployment.md for nginx, by their headings. */
export function examples(): Map<string, string> {
  const page = readFileSync(path.join(ROOT, 'docs/en/deployment.md'), 'utf8');
  const found = new Map<string, string>();
  for (const section of page.split(/^##+ /m)) {
    const [heading = ''] = section.split('\n', 1);
    const blocks = Array.from(section.matchAll(/^```nginx\n(.*?)^```/gms), ([, block]) => block as string);
    if (blocks.length > 0) found.set(heading, blocks.join('\n'));
  }
  return found;
}

/**
 * Starts nginx with a configuration of the page, in which the addresses are replaced.
 *
 * @param http - the content of the block `http`
 * @param apps - the URLs of the applications, in the order in which the configuration names them
 */
export async function startNginx(http: string, apps: string[]): Promise<Nginx> {
  const port = await freePort();
  const servers = [...apps];
  const here = http
    .replace(/^(\s*server ).*:7001;$/gm, (_line, start) => `${start}${new URL(servers.shift() ?? '').host};`)
    .replace('listen 80;', `listen 127.0.0.1:${port};`);
  assert.equal(servers.length, 0, 'the configuration names as many applications');

  const prefix = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-nginx-'));
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const files = kinds.map((kind) => `${kind}_temp_path ${kind};`).join('\n');
  writeFileSync(
    path.join(prefix, 'nginx.conf'),
    // One process, under the user who runs the tests.
    `daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents { worker_connections 2048; }\nhttp {\naccess_log off;\n${files}\n${here}}\n`,
  );
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const nginx = spawn('nginx', ['-p', prefix, '-e', 'error.log', '-c', 'nginx.conf'], { stdio: 'ignore', env });
  const ended = once(nginx, 'exit');
  let failed: Error | undefined;
  nginx.once('error', (err) => {
    failed = err;
  });
  const log = () => readFileSync(path.join(prefix, 'error.log'), 'utf8');
  const url = `http://127.0.0.1:${port}`;
  await until('nginx listens', async () => {
    if (failed) throw failed;
    if (nginx.exitCode !== null) throw new Error(`nginx has not started:\n${log()}`);
    return fetch(url).then(
      () => true,
      () => false,
    );
  });
  return {
    url,
    log,
    close: async () => {
      nginx.kill();
      await within('nginx to exit', ended);
      rmSync(prefix, { recursive: true });
    },
  };
}
