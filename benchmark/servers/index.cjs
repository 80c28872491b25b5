// The servers of the benchmark.

/**
 * - `args`: a file of this directory and its arguments
 * - `base`: the server that this one is compared with
 * - `kinds`: the kinds of load that it is measured with; default: all
 * - `peer`: measured only with `--all`, or by name; always beside `bare`
 * - `eio`: the protocol of its clients; default: 4
 */
const SERVERS = [
  { name: 'bare', title: 'Socket.IO 4 on Node', args: ['bare.cjs'], peer: true },
  ...['3', '4'].flatMap((egg) => [
    { name: `floor${egg}`, title: `Socket.IO 4 by hand in Egg ${egg}`, args: ['egg.cjs', 'floor', egg] },
    {
      name: `plugin${egg}`,
      title: `egg-socket.io 5 on Egg ${egg}`,
      args: ['egg.cjs', 'plugin', egg],
      base: `floor${egg}`,
    },
    {
      name: `lean${egg}`,
      title: `egg-socket.io 5, lean, on Egg ${egg}`,
      args: ['egg.cjs', 'lean', egg],
      base: `floor${egg}`,
    },
    {
      name: `typical-hand${egg}`,
      title: `typical application by hand in Egg ${egg}`,
      args: ['egg.cjs', 'typical-hand', egg],
      kinds: ['echo'],
    },
    {
      name: `typical${egg}`,
      title: `typical application, egg-socket.io 5 on Egg ${egg}`,
      args: ['egg.cjs', 'typical', egg],
      kinds: ['echo'],
      base: `typical-hand${egg}`,
    },
  ]),
  { name: 'original', title: 'egg-socket.io 4.1.6 on Egg 3', args: ['egg.cjs', 'original', '3'], eio: 3, peer: true },
  { name: 'nest', title: 'NestJS', args: ['nest.mjs'], peer: true },
  { name: 'midway', title: 'Midway', args: ['midway.cjs'], peer: true },
];

/** Whether a name stands for a server: `plugin4` for itself, `plugin` for `plugin3` and `plugin4`. */
const matches = (name, server) => name === server.name || name === server.name.replace(/\d$/, '');

/**
 * Returns the servers of a run.
 *
 * @param all - also the peers
 * @param names - only these, and the servers that they are compared with
 * @throws Error - if a name is unknown
 */
function choose({ all, names }) {
  if (names === undefined) return SERVERS.filter(({ peer }) => all || !peer);
  const unknown = names.filter((name) => !SERVERS.some((server) => matches(name, server)));
  if (unknown.length) throw new Error(`--only: unknown server ${unknown}, known are ${SERVERS.map((s) => s.name)}`);
  const chosen = SERVERS.filter((server) => names.some((name) => matches(name, server)));
  const bases = chosen.map(({ base, peer }) => (peer ? 'bare' : base));
  return SERVERS.filter((server) => chosen.includes(server) || bases.includes(server.name));
}

module.exports = { SERVERS, choose };
