// The steps of hostile clients, as fast-check generates them: data that can be printed, shrunk and repeated.
import fc from 'fast-check';

/** Which session a request names. */
export type Session = 'own' | 'other' | 'made up' | 'none' | '__proto__' | 'constructor';

/** An HTTP request, valid or not. */
export interface Request {
  method: string;
  session: Session;
  /** More parameters of the query. A later one of the same name counts. */
  query: string;
  headers: string;
  body: string;
  /** How many bytes more than the body has its Content-Length announces. */
  excess: number;
  /** Sends only the beginning. */
  isCut: boolean;
}

/** One step of a hostile client. */
export type Step =
  /** Sends Engine.IO packets, in the way of the current transport. */
  | { do: 'send'; packets: string[]; repeat: number }
  /** Sends an attachment. */
  | { do: 'attach'; size: number }
  /** Connects to a namespace and waits for what the server answers. */
  | { do: 'connect'; namespace: string }
  /** Asks for many namespaces. */
  | { do: 'rooms'; from: number; count: number }
  /** Sends requests over one of three connections, without waiting for the responses. */
  | { do: 'requests'; on: number; requests: Request[] }
  /** Polls once or several times at once, on one connection or several. */
  | { do: 'poll'; on: number[] }
  /** Sends a frame of WebSocket's protocol with any header. */
  | { do: 'frame'; first: number; isMasked: boolean; length: number; announced: number }
  /** Sends a compressed frame with a packet whose text is that long. */
  | { do: 'compressed'; length: number; isBroken: boolean }
  /** Opens a WebSocket for the session of long-polling, and sends packets over it. */
  | { do: 'upgrade'; packets: string[]; session: Session; compresses: boolean }
  /** Sends any bytes. */
  | { do: 'bytes'; on: number; text: string }
  /** Stops reading. */
  | { do: 'stop reading' }
  /** Loses a connection. */
  | { do: 'lose'; on: number }
  /** Waits until the server has handled what it has received. */
  | { do: 'wait' };

/** A hostile client. */
export interface Hostile {
  protocol: 3 | 4;
  transport: 'polling' | 'websocket' | 'none';
  /** Whether its WebSockets compress. */
  compresses: boolean;
  /** More parameters of its handshake. */
  query: string;
  /** Whether it connects to `/` first. */
  connects: boolean;
  steps: Step[];
}

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'length', 'then'];
const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener', 'error'];
const ROUTED = ['echo', 'say', 'binary', 'many', 'ask', 'join', 'fail', 'hang', 'leave'];
const SEPARATOR = '\x1e';

const namespace = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('/', '/chat', '/room/1', '/room/2') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...NAMES.map((name) => `/room/${name}`), ...NAMES.map((name) => `/${name}`)),
  },
  fc.constantFrom(
    '/room/%',
    '/room/%E0%A4%A',
    '/room/',
    '/room/1?a=b',
    '/?__proto__=1',
    '//',
    '//[',
    '/room/1/2',
    '/:id',
  ),
  fc.constant(`/room/${'x'.repeat(3_000)}`),
  fc.string({ maxLength: 8 }).map((text) => `/${text}`),
);

const placeholder = fc
  .constantFrom<unknown>(0, 1, -1, 1.5, 1e9, '0', '__proto__', 'length', null, true)
  .map((num) => ({ _placeholder: true, num }));

/** Arrays or objects within each other. */
const nested = fc
  .record({ depth: fc.constantFrom(10, 1_000, 8_000, 20_000), isObject: fc.boolean() })
  .map(({ depth, isObject }) =>
    isObject ? `${'{"a":'.repeat(depth / 2)}1${'}'.repeat(depth / 2)}` : `${'['.repeat(depth)}${']'.repeat(depth)}`,
  );

const argument = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('1', '"1"', 'null', 'true', '[]', '{}', '"\\u0000\\ud800"', '-0', '1e999') },
  { weight: 2, arbitrary: placeholder.map((value) => JSON.stringify(value)) },
  fc.constantFrom(...NAMES, 'toJSON', 'type', 'nsp').map((name) => `{"${name}":{"${name}":1}}`),
  fc.constantFrom(
    '{"toJSON":1,"toString":null,"valueOf":null}',
    '{"type":"Buffer","data":[1]}',
    '{"status":200,"message":1}',
  ),
  nested,
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
  fc.constant(`"${'x'.repeat(30_000)}"`),
);

const event = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...ROUTED).map((name) => JSON.stringify(name)) },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES, ...RESERVED, '').map((name) => JSON.stringify(name)) },
  argument,
);

const list = fc
  .tuple(event, fc.array(argument, { maxLength: 3 }))
  .map(([name, args]) => `[${[name, ...args].join(',')}]`);

const payload = fc.oneof(
  { weight: 6, arbitrary: list },
  argument,
  fc.constantFrom('', '[', '{', '[]', '["echo"', '["echo",]', '[,"echo"]', '\u0000', '["\ufeff"]'),
);

const attachments = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('1-', '2-') },
  fc.constantFrom('', '0-', '-1-', '-', '1', '1e3-', '999999999-', '99999999999999999999-', '1.5-', ' 1-'),
);

const ackId = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', '0', '1') },
  fc.constantFrom(
    '-1',
    '2147483648',
    '9007199254740993',
    '9'.repeat(400),
    '1e3',
    '00',
    '0x1',
    ' 1',
    'NaN',
    '__proto__',
  ),
);

/** A packet of Socket.IO. */
const packet = fc
  .record({
    type: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('2', '2', '2', '5') },
      { weight: 2, arbitrary: fc.constantFrom('0', '1', '3', '4', '6') },
      fc.constantFrom('', '7', '9', '-1', 'x', '\u0000'),
    ),
    attachments: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, attachments),
    namespace: fc.oneof({ weight: 3, arbitrary: fc.constant('/') }, namespace),
    ackId,
    payload,
  })
  .map(({ type, attachments: count, namespace: name, ackId: id, payload: data }) => {
    const announced = count ?? (type === '5' || type === '6' ? '1-' : '');
    return `4${type}${announced}${name === '/' ? '' : `${name},`}${id}${data}`;
  });

/** A well-formed event, with hostile arguments. */
const call = fc
  .record({
    namespace: fc.constantFrom('', '', '/chat,', '/room/1,'),
    ackId: fc.constantFrom('', '0', '1', '77'),
    event: fc.constantFrom(...ROUTED),
    args: fc.array(argument, { maxLength: 2 }),
  })
  .map(
    ({ namespace: name, ackId: id, event: routed, args }) => `42${name}${id}[${[`"${routed}"`, ...args].join(',')}]`,
  );

/** A packet of Engine.IO. */
const enginePacket = fc.oneof(
  { weight: 12, arbitrary: call },
  { weight: 8, arbitrary: packet },
  fc.constantFrom('', '0', '0{}', '1', '2', '2probe', '3', '3probe', '4', '5', '6', '7', 'b', 'bAAEC', 'b!!', 'b4AAEC'),
  fc.constantFrom(
    '40',
    '40/chat,',
    '40{"user":1}',
    '40/chat,{',
    '41',
    '41/chat,',
    '44{"message":"x"}',
    '40[1]',
    '40"x"',
  ),
  fc.string({ maxLength: 6 }),
);

/** Bodies of long-polling, most of which are broken. */
const body = fc.oneof(
  fc.array(enginePacket, { maxLength: 4 }).map((packets) => packets.join(SEPARATOR)),
  fc.array(enginePacket, { maxLength: 4 }).map((packets) => packets.map((each) => `${each.length}:${each}`).join('')),
  fc.constantFrom(
    '',
    SEPARATOR,
    SEPARATOR.repeat(3_000),
    'b',
    `b${SEPARATOR}b`,
    '1:',
    '-1:2',
    '999:4',
    ':',
    '0:',
    'd=40',
    'd=%',
  ),
  fc.constantFrom('\xff\xfe\xfd', '\xed\xa0\x80', '\xf0\x28\x8c\x28', '\x00\x01\xff4', '\x01\x02\xff\x04\x01'),
  fc.constantFrom(150_000, 99_000).map((size) => `42["echo","${'x'.repeat(size)}"]`),
  fc.constant(Array(2_000).fill('42["echo"]').join(SEPARATOR)),
);

const session = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Session>('own') },
  fc.constantFrom<Session>('other', 'made up', 'none', '__proto__', 'constructor'),
);

const request: fc.Arbitrary<Request> = fc.record({
  method: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'POST') },
    fc.constantFrom('HEAD', 'DELETE', 'OPTIONS', 'PUT'),
  ),
  session,
  query: fc.oneof(
    { weight: 6, arbitrary: fc.constant('') },
    fc.constantFrom(
      'transport=websocket',
      'transport=webtransport',
      'transport=__proto__',
      'EIO=3',
      'EIO=4',
      'EIO=',
      'j=0',
    ),
    fc.constantFrom(
      'j=x&b64=1',
      'b64=1',
      'sid=',
      'sid=a&sid=b',
      '__proto__=1',
      'user=refused',
      't=%',
      'transport=polling%00',
    ),
  ),
  headers: fc.oneof(
    { weight: 6, arbitrary: fc.constant('') },
    fc.constantFrom(
      'Content-Type: application/octet-stream\r\n',
      'Origin: \xff\r\n',
      'Cookie: EGG_SESS=%; __proto__=1\r\n',
      'Connection: close\r\n',
      'Accept-Encoding: gzip\r\n',
      'Content-Encoding: gzip\r\n',
      'Connection: Upgrade\r\nUpgrade: websocket\r\n',
      'X-Forwarded-For: ,,\r\n',
    ),
  ),
  body,
  excess: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 1_000_000)),
  isCut: fc.oneof({ weight: 8, arbitrary: fc.constant(false) }, fc.constant(true)),
});

const on = fc.nat({ max: 2 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      packets: fc.array(enginePacket, { minLength: 1, maxLength: 4 }),
      repeat: fc.oneof({ weight: 8, arbitrary: fc.constant(1) }, fc.constantFrom(2, 20)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('attach' as const), size: fc.constantFrom(0, 3, 2_000, 150_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('connect' as const), namespace }) },
  fc.record({
    do: fc.constant('rooms' as const),
    from: fc.nat({ max: 5_000 }),
    count: fc.constantFrom(3, 150, 2_000),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('requests' as const),
      on,
      requests: fc.array(request, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('poll' as const), on: fc.array(on, { minLength: 1, maxLength: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('frame' as const),
      first: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0x81, 0x01, 0x80, 0x82, 0xc1, 0x88, 0x89, 0x8a)),
      isMasked: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, fc.constant(false)),
      length: fc.constantFrom(0, 1, 2, 125, 126, 70_000),
      announced: fc.oneof(
        { weight: 6, arbitrary: fc.constant(-1) },
        fc.constantFrom(0, 5, 127, 65_536, 2 ** 40, 2 ** 53),
      ),
    }),
  },
  fc.record({
    do: fc.constant('compressed' as const),
    length: fc.constantFrom(1, 90_000, 50_000_000),
    isBroken: fc.boolean(),
  }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('upgrade' as const),
      packets: fc.oneof(
        fc.constantFrom<string[]>(
          ['2probe', '5'],
          ['2probe'],
          ['5'],
          [],
          ['5', '5'],
          ['2probe', '42["echo"]', '5'],
          ['5', '40'],
        ),
        fc.array(enginePacket, { maxLength: 3 }),
      ),
      session,
      compresses: fc.boolean(),
    }),
  },
  {
    arbitrary: fc.record({
      do: fc.constant('bytes' as const),
      on,
      text: fc.oneof(
        fc.constantFrom(
          '\r\n\r\n',
          'GET /socket.io/ HTTP/1.1\r\n\r\n',
          'GET /socket.io/?EIO=4',
          '\x16\x03\x01',
          'PRI * HTTP/2.0\r\n\r\n',
        ),
        fc.constantFrom(
          'GET /socket.io HTTP/1.1\r\nHost: x\r\n\r\n',
          'GET //socket.io/ HTTP/1.0\r\n\r\n',
          'GET http://x/socket.io/ HTTP/1.1\r\n\r\n',
        ),
        fc.string({ maxLength: 12 }),
      ),
    }),
    weight: 1,
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'stop reading' }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), on }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'wait' }) },
);

const hostile: fc.Arbitrary<Hostile> = fc.record({
  protocol: fc.constantFrom(4 as const, 4 as const, 3 as const),
  transport: fc.constantFrom<Hostile['transport']>('websocket', 'websocket', 'polling', 'polling', 'polling', 'none'),
  compresses: fc.boolean(),
  query: fc.oneof(
    { weight: 4, arbitrary: fc.constant('') },
    fc.constantFrom('user=__proto__', 'user=1', 'user=refused', 'user=disconnected', 'b64=1', 'j=0'),
  ),
  connects: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
});

/** Several hostile clients that act at once. */
export const burst: fc.Arbitrary<Hostile[]> = fc.array(hostile, { minLength: 1, maxLength: 4 });
