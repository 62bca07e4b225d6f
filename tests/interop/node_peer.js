// Node's ws at the other end: `node node_peer.js client URL` (says "ok"), or `node node_peer.js server`
// (prints its port, echoes every message).
'use strict';
const assert = require('assert');
const WebSocket = require('ws');

function next(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, (...values) => resolve(values));
    socket.once('error', reject);
  });
}

async function echoed(socket, message, options) {
  const answer = next(socket, 'message');
  socket.send(message, options);
  const [data, isBinary] = await answer;
  assert.strictEqual(isBinary, Buffer.isBuffer(message));
  assert.ok(data.equals(Buffer.from(message)));
}

async function session(url, options, deflates) {
  const socket = new WebSocket(url, options);
  await next(socket, 'open');
  assert.strictEqual(socket.extensions.includes('permessage-deflate'), deflates);
  for (const size of [0, 1, 125, 126, 65535, 65536, 1000000]) {
    await echoed(socket, Buffer.alloc(size, 'hawser'));
    await echoed(socket, 'ä'.repeat(size / 2));
  }
  // Fragments, with a ping between them.
  const whole = next(socket, 'message');
  socket.send('one ', {fin: false});
  socket.send('', {fin: false});
  const pong = next(socket, 'pong');
  socket.ping('between');
  socket.send('two', {fin: true});
  assert.strictEqual((await pong)[0].toString(), 'between');
  assert.strictEqual((await whole)[0].toString(), 'one two');
  const closed = next(socket, 'close');
  socket.close(4000, 'bye');
  assert.strictEqual((await closed)[0], 4000);
}

async function broken(url, bytes, code) {
  const socket = new WebSocket(url, {perMessageDeflate: false});
  await next(socket, 'open');
  const closed = next(socket, 'close');
  socket._socket.write(Buffer.from(bytes, 'hex'));
  assert.strictEqual((await closed)[0], code);
}

async function client(url) {
  await session(url, {perMessageDeflate: false}, false);
  await session(url, {perMessageDeflate: {threshold: 0}}, true);
  await session(url, {perMessageDeflate: {threshold: 0, serverNoContextTakeover: true,
                                          clientNoContextTakeover: true}}, true);
  await broken(url, '8101ff', 1002);                  // not masked
  await broken(url, '818200000000c328', 1007);   // no UTF-8
  await broken(url, '838000000000', 1002);            // a reserved opcode
  await broken(url, '8882000000000000', 1002);        // the close code 0
  console.log('ok');
}

if (process.argv[2] === 'client') {
  client(process.argv[3]).catch((error) => {
    console.error(error);
    process.exit(1);
  });
} else {
  const deflate = process.argv[3] === 'deflate' ? {threshold: 0} : false;
  const server = new WebSocket.Server({host: '127.0.0.1', port: 0, perMessageDeflate: deflate}, () => {
    console.log(`port ${server.address().port}`);
  });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      socket.ping();
      socket.send(data, {binary: isBinary});
    });
    socket.on('close', (code) => console.log(`closed ${code}`));
  });
}
