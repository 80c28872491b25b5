// A raw client of Engine.IO's long-polling, with which a test chooses the connection of each request.
import assert from 'node:assert/strict';
import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { within } from './wait';

/** The response of a server. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A session of Engine.IO that is connected to `/`. */
export interface Session {
  sid: string;
  /** Sends a body over a connection of the agent, for this session or another. */
  post(body: string, agent: Agent, sid?: string): Promise<Answer>;
  /** Emits an event without arguments, and returns the answer. */
  ask(event: string, agent: Agent): Promise<never>;
}

const SEPARATOR = '\x1e';

/** Sends an HTTP request. */
export async function send(
  url: string,
  { body, ...options }: { method?: string; agent?: Agent; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const what = `the answer to ${options.method ?? 'GET'} ${url}`;
  const answer = new Promise<Answer>((resolve, reject) => {
    const sent = request(url, options, (res) => {
      text(res).then((read) => resolve({ status: res.statusCode as number, headers: res.headers, body: read }), reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
  return within(what, answer);
}

/** Opens a session over a connection of the agent. */
export async function openSession(url: string, agent: Agent): Promise<Session> {
  const engine = `${url}/socket.io/?EIO=4&transport=polling`;
  const opened = await send(engine, { agent });
  assert.equal(opened.status, 200);
  const { sid } = JSON.parse(opened.body.slice(1)) as { sid: string };
  const post = (body: string, by: Agent, of = sid) =>
    send(`${engine}&sid=${of}`, { method: 'POST', agent: by, body, headers: { 'content-type': 'text/plain' } });
  const poll = async (by: Agent) => {
    const { status, body } = await send(`${engine}&sid=${sid}`, { agent: by });
    assert.equal(status, 200, body);
    return body.split(SEPARATOR);
  };
  const ask = async (event: string, by: Agent) => {
    assert.equal((await post(`420${JSON.stringify([event])}`, by)).body, 'ok');
    for (;;) {
      const answer = (await poll(by)).find((packet) => packet.startsWith('430'));
      if (answer) return JSON.parse(answer.slice(3))[0] as never;
    }
  };
  assert.equal((await post('40', agent)).body, 'ok');
  assert.match((await poll(agent))[0] as string, /^40/);
  return { sid, post, ask };
}
