// How many bytes the arguments of an event have: `config.io.limits.argumentBytes`.

/** What a number, a boolean or null counts. */
const OTHER = 8;

/**
 * Whether values have more bytes than allowed: strings in UTF-8, binary data, the names of members, 8 for any other value. Stops to count
 * when it is decided.
 */
export function hasMoreBytes(values: readonly unknown[], max: number): boolean {
  // Not recursive: a client may nest as deeply as it likes.
  const pending: unknown[] = [...values];
  let bytes = 0;
  while (pending.length > 0 && bytes <= max) {
    const value = pending.pop();
    if (typeof value === 'string') bytes += Buffer.byteLength(value);
    else if (typeof value !== 'object' || value === null) bytes += OTHER;
    else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) bytes += value.byteLength;
    else if (Array.isArray(value)) for (const element of value) pending.push(element);
    else for (const [name, member] of Object.entries(value)) pending.push(name, member);
  }
  return bytes > max;
}
