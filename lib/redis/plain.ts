// What is sent by way of Redis, as a client would get it: the packages that write binary data into messages know neither
// toJSON nor all kinds of it. Called by at-once.ts.

/** What JSON makes of a value, with its binary data as Buffers. */
export function plain(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  const bytes = toBuffer(value);
  if (bytes) return bytes;
  if (hasToJson(value)) return plain(value.toJSON());
  if (value instanceof Boolean || value instanceof Number || value instanceof String) return value.valueOf();
  if (Array.isArray(value)) return value.map((each) => plain(each) ?? null);
  const entries = Object.entries(value).map(([key, each]) => [key, plain(each)] as const);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

/** Whether there is binary data in it. */
export function hasBinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return true;
  if (hasToJson(value)) return hasBinary(value.toJSON());
  return Object.values(value).some(hasBinary);
}

function toBuffer(value: object): Buffer | undefined {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? Buffer.from(value) : undefined;
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}
