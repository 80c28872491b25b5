// lib/internals/testkit.ts: missing members of other libraries. The test kit is not loaded in other environments.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { IncomingMessage } from 'node:http';
import { Socket as TcpSocket } from 'node:net';
import path from 'node:path';
import { type Namespace, Server, Socket } from 'socket.io';
import { connectMockSocket, onceRestored, sendPing, wrapEmitWithAck } from '../lib/internals/testkit';
import { mm, ROOT } from './support/app';

describe('the private members that the test kit uses', () => {
  const connect = (nsp: Namespace) => connectMockSocket(nsp, new IncomingMessage(new TcpSocket()), {});

  it('should be checked when they are used', () => {
    const { sockets } = new Server();
    const cases: [string, string, () => unknown][] = [
      ['egg-mock', 'app.mm', () => onceRestored({ mm: 1 }, () => {})],
      ['socket.io', 'Namespace.sockets.set', () => connect(Object.create(sockets, { sockets: { value: {} } }))],
      ['engine.io', 'Socket.sendPacket', () => sendPing({} as never)],
      [
        'socket.io-client',
        'Socket.flags',
        () => wrapEmitWithAck({ flags: null } as never, (_event, _args, ack) => ack),
      ],
    ];
    for (const [library, member, use] of cases) assert.throws(use, unsupported(library, member));
    mm(Socket.prototype, '_onconnect', null);
    assert.throws(() => connect(sockets), unsupported('socket.io', 'Socket._onconnect'));
  });

  function unsupported(library: string, member: string): RegExp {
    return new RegExp(
      `^Error: \\[egg-socket.io\\] the test kit does not work with the installed ${library}: ${member} is missing \\(supported: socket.io 4.8, .*\\)$`,
    );
  }
});

describe('the files of the test kit', () => {
  it('should not be imported by other files of lib, except as types', () => {
    const files = fs.readdirSync(path.join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' });
    const others = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !file.includes('testkit'));
    assert.ok(others.includes('index.ts'));
    for (const file of others) {
      const source = fs.readFileSync(path.join(ROOT, 'lib', file), 'utf8');
      assert.doesNotMatch(source, /^(import|export) (?!type\b)[^;]*\/testkit\b/m, file);
    }
  });
});
