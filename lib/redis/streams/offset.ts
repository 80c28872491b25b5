// What a client that comes back says it has got: an offset, which each event carries as its last argument. Called by
// recovery.ts.
//
// An event reaches the clients of the worker that emits it before it has a place in the stream. So an offset has two parts:
// the last entry of the stream that the worker had passed on, and, with the worker's name, how many events it had emitted
// itself by then. A client with that offset has all entries up to the first part, and those of that worker up to the second.

export interface Offset {
  /** The id of an entry. */
  entry: string;
  /** The name of a namespace's adapter in a worker. */
  uid: string;
  /** The number of its last event. */
  seq: number;
}

const FORMAT = /^(\d{1,20}-\d{1,20})\.([0-9a-f]{1,40})\.(\d{1,15})$/;

export function formatOffset({ entry, uid, seq }: Offset): string {
  return `${entry}.${uid}.${seq}`;
}

/** Undefined for what is no offset: any client may send anything. */
export function parseOffset(text: string): Offset | undefined {
  const [, entry, uid, seq] = FORMAT.exec(text) ?? [];
  return entry && uid && seq ? { entry, uid, seq: Number(seq) } : undefined;
}
