// The wire format of the links between workers.
import assert from 'node:assert/strict';
import { encodeBroadcast, encodeFrame, FrameReader, FrameType } from '../lib/adapters/frame';
import type { EncodedPacket } from '../lib/internals/adapters';

/** A reader that records what it reads. */
function reading() {
  const seen = { frames: [] as unknown[], broadcasts: [] as [unknown, EncodedPacket][], errors: [] as Error[] };
  const reader = new FrameReader({
    frame: (type, body) => void seen.frames.push([type, body]),
    broadcast: (target, packet) => void seen.broadcasts.push([target, packet]),
    failed: (err) => void seen.errors.push(err),
  });
  return { reader, ...seen };
}

const MESSAGE = {
  nsp: '/chat',
  data: {
    text: 'grüß dich 👋\u2028',
    none: null,
    nested: [{ file: Buffer.from([0, 1, 255]) }],
    empty: Buffer.alloc(0),
  },
};

describe('the frames of a link', () => {
  it('should be read as they were sent, binary data too, whatever the chunks are', () => {
    const bytes = Buffer.concat([
      encodeFrame(FrameType.MESSAGE, MESSAGE),
      encodeBroadcast({ nsp: '/', rooms: ['a'] }, ['2["x","é"]', Buffer.from('binary'), Buffer.alloc(0)]),
      encodeFrame(FrameType.RESPONSE, { n: 1 }),
    ]);
    for (const size of [1, 2, 3, 4, 5, 7, 64, bytes.length]) {
      const { reader, frames, broadcasts, errors } = reading();
      for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size));
      assert.deepEqual(frames, [
        [FrameType.MESSAGE, MESSAGE],
        [FrameType.RESPONSE, { n: 1 }],
      ]);
      assert.deepEqual(broadcasts, [
        [{ nsp: '/', rooms: ['a'] }, ['2["x","é"]', Buffer.from('binary'), Buffer.alloc(0)]],
      ]);
      assert.deepEqual(errors, []);
    }
  });

  it('should support every type of binary data, and more attachments than a client may send', () => {
    const { reader, frames, errors } = reading();
    const files = Array.from({ length: 40 }, (_, n) => Buffer.from(`file ${n}`));
    const others = { array: new Uint16Array([1, 2, 3]).subarray(1), buffer: new Uint8Array([9]).buffer };
    reader.read(encodeFrame(FrameType.MESSAGE, { files, ...others }));
    assert.deepEqual(errors, []);
    const [[, body]] = frames as [[number, Record<string, Buffer> & { files: Buffer[] }]];
    assert.deepEqual(body.files, files);
    assert.deepEqual(body.array, Buffer.from(new Uint16Array([2, 3]).buffer));
    assert.deepEqual(body.buffer, Buffer.from([9]));
  });

  it('should contain the bytes of a view and no others of its buffer', () => {
    const { reader, broadcasts } = reading();
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const packet = [
      bytes.buffer,
      new DataView(bytes.buffer, 1, 2),
      new Uint16Array([0xabcd, 0x1234]),
      Buffer.from('x'),
    ];
    reader.read(encodeBroadcast({}, ['text', ...packet] as EncodedPacket));
    const [[, parts]] = broadcasts as [[unknown, EncodedPacket]];
    assert.deepEqual(parts, [
      'text',
      Buffer.from([1, 2, 3, 4]),
      Buffer.from([2, 3]),
      Buffer.from(new Uint16Array([0xabcd, 0x1234]).buffer),
      Buffer.from('x'),
    ]);
  });

  it('should be read from several chunks', () => {
    const { reader, frames } = reading();
    const big = Buffer.alloc(5_000_000, 7);
    const bytes = encodeFrame(FrameType.MESSAGE, { big });
    for (let at = 0; at < bytes.length; at += 65_536) reader.read(bytes.subarray(at, at + 65_536));
    const [[, body]] = frames as [[number, { big: Buffer }]];
    assert(big.equals(body.big));
  });

  it('should not mistake a string of a client for an attachment', () => {
    const { reader, frames, errors } = reading();
    const forged = {
      secret: Buffer.from('x'),
      placeholders: [
        { _placeholder: true, num: 0 },
        { _placeholder: true, num: 99 },
      ],
      strings: ['\0', '\0b0', '\0b99', '\0s', '\0s\0b0', 'b0', '\\u0000b0'],
      '\0b0': 1,
    };
    reader.read(encodeFrame(FrameType.RESPONSE, forged));
    const { secret: _, ...harmless } = forged;
    reader.read(encodeFrame(FrameType.RESPONSE, harmless));
    assert.deepEqual(errors, []);
    assert.deepEqual(frames, [
      [FrameType.RESPONSE, forged],
      [FrameType.RESPONSE, harmless],
    ]);
  });

  it('should be read after a frame that cannot be decoded, or whose listener throws', () => {
    const { reader, frames, errors } = reading();
    const garbage = Buffer.concat([Buffer.from([0, 0, 0, 8, 1, 0, 0, 0, 3]), Buffer.from('nah')]);
    reader.read(Buffer.concat([garbage, encodeFrame(FrameType.MESSAGE, ['well'])]));
    assert.equal(errors.length, 1);
    assert.deepEqual(frames, [[FrameType.MESSAGE, ['well']]]);

    const thrown: Error[] = [];
    const throwing = new FrameReader({
      frame: () => assert.fail('thrown'),
      failed: (err) => void thrown.push(err),
    });
    throwing.read(Buffer.concat([encodeFrame(FrameType.MESSAGE, [1]), encodeFrame(FrameType.MESSAGE, [2])]));
    assert.deepEqual(
      thrown.map((err) => err.message),
      ['thrown', 'thrown'],
    );
  });

  it('should not be encoded if JSON cannot express the body', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    assert.throws(() => encodeFrame(FrameType.MESSAGE, { n: 1n }), TypeError);
    assert.throws(
      () => encodeFrame(FrameType.MESSAGE, new Blob(['x'])),
      /can't send a \[object Blob\] to other workers/,
    );
    assert.throws(() => encodeFrame(FrameType.MESSAGE, circular));
  });
});
