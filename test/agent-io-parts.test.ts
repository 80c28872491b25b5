// agent.io within one process: the commands of the agent, and their execution in a worker.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Agent, Application } from 'egg';
import { Server } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { AgentIo, commandSender } from '../lib/agent/io';
import { ACTION, decodeCommand, listenToAgent } from '../lib/agent/relay';
import { Users } from '../lib/users';
import { FRAMEWORK, fixture } from './support/app';
import { next, until } from './support/wait';

const NO_USERS = new Users({ config: {} }, undefined);
const NO_PRESENCES = { of: () => assert.fail('no presence is asked for') };

describe('the parts of agent.io', () => {
  it('should reach the other workers if a listener of this worker throws', async () => {
    const messenger = new EventEmitter();
    const told: unknown[] = [];
    const logged: unknown[] = [];
    const io = new Server({
      adapter: class extends Adapter {
        override serverSideEmit(packet: unknown[]) {
          told.push(packet);
        }
      },
    });
    listenToAgent({
      messenger,
      io,
      coreLogger: { error: (err: unknown) => logged.push(err) },
    } as unknown as Application);
    const bug = new Error('a bug');
    io.on('news', () => {
      throw bug;
    });
    new AgentIo((command) => messenger.emit(ACTION, command), NO_USERS, NO_PRESENCES).serverSideEmit('news', 1);
    await until('the error is logged', () => logged.length > 0);
    assert.deepEqual([told, logged], [[['news', 1]], [bug]]);
  });

  it('should refuse a namespace that is not a string', () => {
    const io = new AgentIo(() => assert.fail('nothing is sent'), NO_USERS, NO_PRESENCES);
    for (const name of [/x/, undefined])
      assert.throws(() => io.of(name as never), /agent\.io\.of: the name of a namespace/);
  });

  it('should throw for calls that it does not support', async () => {
    const io = new AgentIo(() => assert.fail('nothing is sent'), NO_USERS, NO_PRESENCES) as AgentIo & Server;
    const answers = /agent\.io only emits and receives no answers/;
    await assert.rejects(io.fetchSockets(), answers);
    await assert.rejects(io.emitWithAck('news'), answers);
    await assert.rejects(io.timeout(100).emitWithAck('news'), answers);
    assert.throws(() => io.local.emit('news'), /agent\.io has no clients of its own/);
  });

  it('should select the users of one namespace, or throw', () => {
    const sent: string[] = [];
    const users = new Users({ config: { keys: 'a secret' } }, () => 1);
    const io = new AgentIo((command) => sent.push(command), users, NO_PRESENCES);
    io.user(42).emit('news', 1);
    io.of('chat').user('42').emit('news', 2);
    const [{ rooms }, ofChat] = sent.map((text) => decodeCommand(text).opts) as [{ rooms: string[] }, object];
    assert.equal(rooms.length, 1);
    assert.deepEqual(rooms, (ofChat as { rooms: string[] }).rooms);
    assert.throws(() => io.of('/room/:id').user(42), /\/room\/:id stands for many namespaces/);
    assert.throws(() => io.user('' as never), TypeError);
    assert.throws(() => new AgentIo(() => {}, NO_USERS, NO_PRESENCES).user(42), /user\(\) needs config\.io\.user/);
  });

  for (const workers of [1, 2]) {
    it(`should log a warning if no worker is ready: ${workers} workers`, () => {
      const warnings: string[] = [];
      const sent: unknown[][] = [];
      const messenger = Object.assign(new EventEmitter(), { sendTo: (...args: unknown[]) => sent.push(args) });
      const coreLogger = { warn: (message: string) => warnings.push(message) };
      const send = commandSender({ messenger, coreLogger, options: { workers } } as unknown as Agent);
      send('early');
      assert.match(warnings.join(), /agent\.io has emitted before a worker is ready/);
      messenger.emit('egg-pids', [5]);
      send('now');
      assert.deepEqual(sent, [['5', ACTION, 'now']]);
    });
  }

  it("should reach clients in Egg's single mode, which has one process for any number of `workers`", async () => {
    const { start } = require('egg');
    const app = await start({ baseDir: fixture('cluster'), framework: FRAMEWORK, mode: 'single', workers: 4 });
    const heard = next(app.io as EventEmitter, 'hello');
    app.agent.io.serverSideEmit('hello', 1);
    assert.deepEqual(await heard, [1]);
    assert.equal(app.io.sockets.adapter.constructor.name, 'Adapter');
    await app.close();
  });
});
