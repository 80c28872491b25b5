// Generator functions in app/io. Egg 3 supports them; Egg 4 fails to boot with them.
import assert from 'node:assert/strict';
import { EGG_MAJOR, logs, type Running, refused, start } from './support/app';
import { parity } from './support/clients';
import { next, times } from './support/wait';

const FORMS = { class: 'chat.js', object: 'chat.js', file: 'fail.js|ping.js', middleware: '' };

if (EGG_MAJOR === 4) {
  describe('legacy: generators on Egg 4', () => {
    for (const [form, file] of Object.entries(FORMS)) {
      if (form === 'middleware') continue;
      it(`should fail the boot for a generator controller: ${form}`, async () => {
        const words = new RegExp(`Support for generators was removed, .*fullpath: .*generator-${form}.*(${file})`);
        await assert.rejects(start(`legacy-generator-${form}`), words);
      });
    }

    it("should fail the boot for a generator middleware, with Egg's own message", async () => {
      await assert.rejects(start('legacy-generator-middleware'), (err: Error) => {
        const words =
          /^Support for generators was removed, middleware: (connection|packet|guard), fullpath: .*generator-middleware.*\1\.js$/;
        assert.match(err.message, words);
        assert.equal(err.name, 'TypeError');
        return true;
      });
    });
  });
} else {
  parity('legacy: generators on Egg 3', () => {
    for (const form of ['class', 'object', 'file']) {
      it(`should run a generator controller: ${form}`, async () => {
        const running = await start(`legacy-generator-${form}`);
        const { error } = logs(running.app);
        const client = await running.connect();
        const heard = Promise.all([next(client, 'res'), next(client, 'error')]);
        client.emit('hail', form);
        client.emit('fail', form);
        const message = `[egg-socket.io] controller execute error: no ${form}`;
        assert.deepEqual(await heard, [[`generator ${form}`], [message]]);
        assert.equal(error.length, 1);
        assert.equal(error[0].message, message);
      });
    }

    describe('generator middleware', () => {
      let running: Running;

      before(async () => {
        running = await start('legacy-generator-middleware');
      });

      it('should run around a connection: yield* next ends when the socket is disconnected', async () => {
        const client = running.client();
        assert.deepEqual(await next(client, 'res'), ['connected!']);
        const { id } = client;
        const left = next(running.app as never, 'left');
        client.disconnect();
        assert.deepEqual(await left, [id]);
      });

      it('should refuse a client if it throws', async () => {
        const { error } = logs(running.app);
        const err = await refused(running.client('/', { query: { token: 'no' } }));
        assert.equal(err.message, 'no token');
        assert.equal(error.length, 1);
      });

      it('should run around a packet, between async middleware: yield next ends when the controller has finished', async () => {
        const client = await running.connect();
        const heard = times(client, 'res', 2);
        client.emit('hail');
        assert.deepEqual(await heard, [['in hail'], ['out async controller']]);
      });

      it('should drop a packet if it returns without next, and emit its errors to the client', async () => {
        const client = await running.connect();
        const { error } = logs(running.app);
        const swallowed = times(client, 'res', 2);
        client.emit('hail', 'stop');
        assert.deepEqual(await swallowed, [['in hail'], ['out async']]);
        const failed = Promise.all([times(client, 'res', 1), next(client, 'error')]);
        client.emit('hail', 'throw');
        assert.deepEqual(await failed, [[['in hail']], ['thrown']]);
        assert.equal(error.length, 1);
      });
    });
  });
}
