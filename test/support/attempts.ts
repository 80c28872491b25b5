// Requests by which a client might try to reach the internal server of another worker: see test/forwarding-security.test.ts.

const HEAD = 'Host: x\r\n';
const WEBSOCKET = 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const UPGRADE = `Connection: Upgrade\r\n${WEBSOCKET}`;
const MANY = 'a:\r\n'.repeat(2100);

/** Returns a request, its headers, and the bytes that follow them. */
const http = (line: string, headers = '', rest = '') => `${line} HTTP/1.1\r\n${HEAD}${headers}\r\n${rest}`;
const length = (body: string) => `Content-Length: ${body.length}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const chunk = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/**
 * @param at - the path of Engine.IO
 * @param sid - a session id of the other worker
 */
export function attempts(at: string, sid: string): Record<string, string> {
  const own = `${at}/?EIO=4&transport=polling&sid=${sid}`;
  const drain = `/drain/${sid}?sid=${sid}`;
  /** A request that must not reach the internal server. */
  const hidden = http(`POST /drain/${sid}`, length(''));
  return {
    'a path of the internal server': http(`GET /forward${drain}`, '', hidden),
    'the path to drain': http(`POST ${drain}`, length(''), hidden),
    dots: http(`GET ${at}/../..${drain}`),
    'encoded dots': http(`GET ${at}/%2e%2e/%2e%2e${drain}`),
    'two slashes': http(`GET /${own}`),
    backslashes: http(`GET ${at}/\\..\\..\\drain\\${sid}?sid=${sid}`),
    'an absolute URL': http(`GET http://x${own}`),
    'an absolute URL of the path to drain': http(`GET http://x${drain}`),
    'a user in front of the path': http(`GET @x${own}`),
    'a fragment': http(`GET ${own}#/drain/`),
    'an encoded name': http(`GET ${own.replace('sid=', '%73id=')}`),
    'an encoded line break': http(`GET ${own}%0d%0aX: y`),
    'a tab in the query': http(`GET ${own}&a=\tb`),
    'bytes that are no ASCII': http(`GET ${own}&a=\xff\x80`),
    'bytes that are no ASCII in a header': http(`GET ${own}`, 'X: \xff\x80\r\n'),
    'a header over two lines': http(`GET ${own}`, 'Connection: close,\r\n Upgrade\r\nUpgrade: websocket\r\n', hidden),
    'a body of GET': http(`GET ${own}`, length(hidden), hidden),
    'a chunked body of GET': http(`GET ${own}`, CHUNKED, chunk(hidden)),
    'a body of HEAD': http(`HEAD ${own}`, length(hidden), hidden),
    'a body of DELETE': http(`DELETE ${own}`, length(hidden), hidden),
    'a body of PUT': http(`PUT ${own}`, length(hidden), hidden),
    'a request after a body': http(`POST ${own}`, length('ok'), `ok${hidden}`),
    'a request after a chunked body': http(`POST ${own}`, CHUNKED, chunk('ok') + hidden),
    'a trailer': http(`POST ${own}`, `${CHUNKED}Trailer: X\r\n`, `2\r\nok\r\n0\r\nX: y\r\n\r\n${hidden}`),
    'a trailer without a body': http(`GET ${own}`, 'Trailer: a\r\n'),
    'a trailer with a length': http(`POST ${own}`, `Trailer: a\r\n${length('ok')}`, 'ok'),
    'an upgrade with a trailer': http(`GET ${own}`, `${UPGRADE}Trailer: a\r\n`),
    'a space in a header': http(`GET ${own}`, 'a b: c\r\n'),
    'a form feed in the query': http(`GET ${own}&a=\fb`),
    'an upgrade with a tab in the query': http(`GET ${own}&a=\tb`, UPGRADE),
    'two lengths': http(`POST ${own}`, length('') + length(hidden), hidden),
    'a length of a chunked body': http(`POST ${own}`, length(chunk('') + hidden) + CHUNKED, chunk('') + hidden),
    'a chunked body with a length': http(`POST ${own}`, CHUNKED + length(chunk('') + hidden), chunk('') + hidden),
    'two encodings': http(`POST ${own}`, `${CHUNKED}Transfer-Encoding: identity\r\n`, chunk('') + hidden),
    'another encoding': http(`POST ${own}`, 'Transfer-Encoding: xchunked\r\n', chunk('') + hidden),
    'a body that is expected': http(`POST ${own}`, `Expect: 100-continue\r\n${length('ok')}`, `ok${hidden}`),
    'HTTP/1.0': `POST ${own} HTTP/1.0\r\n${length('')}Connection: keep-alive\r\n\r\n${hidden}`,
    'headers of proxies': http(`GET ${own}`, `X-Forwarded-For: 10.0.0.1\r\nX-Original-URL: ${drain}\r\n`),
    'headers that Connection names': http(`GET ${own}`, 'Connection: close, Host, Content-Length\r\n'),
    'an upgrade with a request after it': http(`GET ${own}`, UPGRADE, hidden),
    'an upgrade with a length': http(`GET ${own}`, UPGRADE + length(''), hidden),
    'an upgrade with a chunked body': http(`GET ${own}`, UPGRADE + CHUNKED, chunk('') + hidden),
    'an upgrade by POST': http(`POST ${own}`, UPGRADE + length(''), hidden),
    'an upgrade by HEAD': http(`HEAD ${own}`, UPGRADE, hidden),
    'an upgrade by CONNECT': http(`CONNECT ${own}`, UPGRADE, hidden),
    'an upgrade of HTTP/1.0': `GET ${own} HTTP/1.0\r\n${UPGRADE}\r\n${hidden}`,
    'another protocol to upgrade to': http(`GET ${own}`, 'Connection: Upgrade\r\nUpgrade: egg-socket.io\r\n', hidden),
    'HTTP/2 to upgrade to': http(`GET ${own}`, 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n', hidden),
    'no protocol to upgrade to': http(`GET ${own}`, 'Connection: Upgrade\r\nUpgrade:\r\n', hidden),
    'two protocols to upgrade to': http(`GET ${own}`, `Connection: close\r\nUpgrade: x\r\n${UPGRADE}`, hidden),
    'an upgrade behind more headers than Node keeps': http(`GET ${own}`, MANY + UPGRADE, hidden),
    'a length behind more headers than Node keeps': http(`POST ${own}`, MANY + length(hidden), hidden),
  };
}
