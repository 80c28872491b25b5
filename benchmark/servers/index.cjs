// The servers under test: how each is started, and which is the floor that it stands on. Used by run.cjs and count.cjs.

/**
 * `args` are the file and its arguments; `eio` is the protocol that its clients speak. `hand` does what it does without a plugin.
 * `named` is there only when it is named.
 */
const SERVERS = [
  { name: 'bare', title: 'bare Socket.IO 4', args: ['bare.cjs'] },
  { name: 'floor3', title: 'floor: by hand in Egg 3', args: ['egg.cjs', 'floor', '3'], floor: 'floor3' },
  {
    name: 'plugin3',
    title: 'egg-socket.io 5 on Egg 3',
    args: ['egg.cjs', 'plugin', '3'],
    floor: 'floor3',
    hand: 'hand3',
  },
  { name: 'lean3', title: 'egg-socket.io 5, lean, on Egg 3', args: ['egg.cjs', 'lean', '3'], floor: 'floor3' },
  { name: 'hand3', title: 'the same by hand in Egg 3', args: ['egg.cjs', 'hand', '3'], floor: 'floor3' },
  {
    name: 'twin3',
    title: 'the floor of Egg 3 once more',
    args: ['egg.cjs', 'floor', '3'],
    floor: 'floor3',
    named: true,
  },
  { name: 'floor4', title: 'floor: by hand in Egg 4', args: ['egg.cjs', 'floor', '4'], floor: 'floor4' },
  {
    name: 'plugin4',
    title: 'egg-socket.io 5 on Egg 4',
    args: ['egg.cjs', 'plugin', '4'],
    floor: 'floor4',
    hand: 'hand4',
  },
  { name: 'lean4', title: 'egg-socket.io 5, lean, on Egg 4', args: ['egg.cjs', 'lean', '4'], floor: 'floor4' },
  { name: 'hand4', title: 'the same by hand in Egg 4', args: ['egg.cjs', 'hand', '4'], floor: 'floor4' },
  {
    name: 'twin4',
    title: 'the floor of Egg 4 once more',
    args: ['egg.cjs', 'floor', '4'],
    floor: 'floor4',
    named: true,
  },
  {
    name: 'original',
    title: 'egg-socket.io 4.1.6 on Egg 3',
    args: ['egg.cjs', 'original', '3'],
    floor: 'floor3',
    eio: 3,
  },
  { name: 'nest', title: 'NestJS', args: ['nest.mjs'] },
  { name: 'midway', title: 'Midway', args: ['midway.cjs'] },
];

/** Whether `plugin4` is among the names: by itself, or as one of `plugin`. */
const isNamed = (name, names) => names.includes(name) || names.includes(name.replace(/\d$/, ''));

/** Those that `--only plugin,nest` names, with what they are compared to; without names all that need none. */
function choose(names) {
  if (!names) return SERVERS.filter(({ named }) => !named);
  const wanted = SERVERS.filter(({ name }) => isNamed(name, names));
  const unknown = names.filter((each) => !SERVERS.some(({ name }) => isNamed(name, [each])));
  if (unknown.length) throw new Error(`--only: there is no server ${unknown}; there are ${SERVERS.map((s) => s.name)}`);
  return SERVERS.filter((server) => {
    const { name } = server;
    return (
      name === 'bare' || wanted.includes(server) || wanted.some(({ floor, hand }) => name === floor || name === hand)
    );
  });
}

module.exports = { choose, isNamed };
