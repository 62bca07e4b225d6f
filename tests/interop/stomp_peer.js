// Node's STOMP clients under the orders of stomp_peer.cpp: a JSON object a line in, another out.
//
//   node stomp_peer.js client=stompjs|stompit address=HOST:PORT [websocket=/PATH] [KEY=VALUE…]
//
// stompjs speaks through ws, or without `websocket` through a plain socket that looks like one.
'use strict';
const net = require('net');
const readline = require('readline');
const zlib = require('zlib');

const words = Object.fromEntries(process.argv.slice(2).map((word) => word.split(/=(.*)/s)));
const [host, port] = words.address.split(':');
const beat = Number(words.beat || 0);
const crc32 = zlib.crc32 || crcByTable;

const table = Array.from({length: 256}, (_, n) => {
  for (let i = 0; i < 8; ++i) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});
function crcByTable(octets) {
  let sum = 0xffffffff;
  for (let i = 0; i < octets.length; ++i) sum = table[(sum ^ octets[i]) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/// Texts carry octets as characters of that number.
const inward = (text) => Buffer.from(text, 'latin1').toString('utf8');
const outward = (text) => Buffer.from(String(text), 'utf8').toString('latin1');
const pairs = (headers) => Object.entries(headers).map(([name, value]) => [outward(name), outward(value)]);
const say = (event, more) => process.stdout.write(JSON.stringify({event, ...more}) + '\n');

/// A net.Socket as the WebSocket that stompjs expects.
class PlainSocket {
  constructor() {
    this.readyState = 0;
    this.url = words.address;
    this.socket = net.connect(Number(port), host, () => {
      this.readyState = 1;
      this.onopen();
    });
    this.socket.on('data', (data) => this.onmessage(
        {data: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)}));
    this.socket.on('error', (error) => this.onerror && this.onerror(error));
    this.socket.on('close', () => {
      this.readyState = 3;
      if (this.onclose) this.onclose({code: 1000});
    });
  }
  send(data) { this.socket.write(typeof data === 'string' ? data : Buffer.from(data)); }
  close() { this.socket.end(); }
  terminate() { this.socket.destroy(); }
}

class Stompjs {
  constructor(events) {
    const {Client, Versions} = require('@stomp/stompjs');
    this.receipts = new Map();
    this.number = 0;
    this.client = new Client({
      stompVersions: new Versions(words.version ? [words.version] : ['1.2', '1.1', '1.0']),
      connectHeaders: {host: 'h'},
      heartbeatIncoming: beat,
      heartbeatOutgoing: beat,
      reconnectDelay: 200,
      webSocketFactory: () => words.websocket === undefined ? new PlainSocket() : this.webSocket(),
      onConnect: (frame) => events.connected(frame.headers),
      onStompError: (frame) => events.error(frame.headers, frame.body),
      onWebSocketClose: () => {
        for (const [, settle] of this.receipts) settle.reject(new Error('closed'));
        this.receipts.clear();
        events.lost();
      },
    });
    this.client.activate();
  }
  webSocket() {
    const WebSocket = require('ws');
    const socket = new WebSocket(`ws://${words.address}${words.websocket}`,
                                 words.version ? [`v${words.version.replace('.', '')}.stomp`]
                                               : ['v12.stomp', 'v11.stomp', 'v10.stomp']);
    socket.binaryType = 'arraybuffer';
    return socket;
  }
  receipt(headers) {
    const id = `r-${++this.number}`;
    headers.receipt = id;
    return new Promise((resolve, reject) => {
      this.receipts.set(id, {resolve, reject});
      this.client.watchForReceipt(id, () => {
        this.receipts.delete(id);
        resolve();
      });
    });
  }
  async send(destination, body, headers, confirmed) {
    const done = confirmed ? this.receipt(headers) : undefined;
    this.client.publish({destination, binaryBody: body, headers});
    await done;
  }
  async subscribe(destination, headers, take) {
    const done = this.receipt(headers);
    const made = this.client.subscribe(destination, (message) => take(
        message, message.headers, Buffer.from(message.binaryBody)), headers);
    await done;
    return made;
  }
  async unsubscribe(made, headers) {
    const done = this.receipt(headers);
    made.unsubscribe(headers);
    await done;
  }
  async settle(message, good, headers, confirmed) {
    const done = confirmed ? this.receipt(headers) : undefined;
    good ? message.ack(headers) : message.nack(headers);
    await done;
  }
  begin() { return this.client.begin(); }
  async end(transaction, commits) {
    commits ? transaction.commit() : transaction.abort();
    await this.send('/topic/nobody', Buffer.from('in turn'), {}, true);
  }
  async close() { await this.client.deactivate(); }
}

class Stompit {
  constructor(events) {
    this.stompit = require('stompit');
    this.events = events;
    this.closing = false;
    this.connect();
  }
  connect() {
    const connectHeaders = {'host': 'h', 'heart-beat': `${beat},${beat}`};
    if (words.version) connectHeaders['accept-version'] = words.version;
    this.stompit.connect({host, port: Number(port), connectHeaders}, (error, client) => {
      if (error) return this.lost(error);
      this.client = client;
      client.setMaxListeners(0);  // one for each receipt awaited
      client.on('error', (reason) => this.lost(reason));
      this.events.connected(client.headers);
    });
  }
  lost(error) {
    if (this.closing) return;
    if (error.isApplicationError && error.isApplicationError())
      this.events.error({message: error.message}, error.longMessage || '');
    this.events.lost();
    setTimeout(() => this.connect(), 200);
  }
  /// Of a frame that may ask for a receipt; fails with the connection.
  done(confirmed, write) {
    if (!confirmed) return Promise.resolve(write({}));
    return new Promise((resolve, reject) => write({onReceipt: resolve, onError: reject}));
  }
  send(destination, body, headers, confirmed) {
    return this.done(confirmed, (options) => {
      const frame = this.client.send({destination, 'content-length': body.length, ...headers}, options);
      frame.end(body);
    });
  }
  async subscribe(destination, headers, take) {
    // Its SUBSCRIBE has no receipt to ask for; what follows it is dealt with later.
    const made = this.client.subscribe({destination, ...headers}, (error, message) => {
      if (error) return;
      const parts = [];
      message.on('data', (part) => parts.push(part));
      message.on('end', () => take(message, message.headers, Buffer.concat(parts)));
    });
    await this.send('/topic/nobody', Buffer.from('in turn'), {}, true);
    return made;
  }
  async unsubscribe(made, headers) {
    made.unsubscribe(headers);
    await this.send('/topic/nobody', Buffer.from('in turn'), {}, true);
  }
  settle(message, good, headers, confirmed) {
    return this.done(confirmed, (options) => good ? this.client.ack(message, headers, options)
                                                  : this.client.nack(message, headers, options));
  }
  begin() { return this.client.begin(); }
  end(transaction, commits) {
    return this.done(true, (options) => commits ? transaction.commit(options) : transaction.abort(options));
  }
  close() {
    this.closing = true;
    return new Promise((resolve, reject) =>
        this.client.disconnect((error) => error ? reject(error) : resolve()));
  }
}

// After an ERROR stompit destroys its half-read frame with the error, which nobody can listen to.
process.on('uncaughtException', (error) => {
  if (!(error.isApplicationError && error.isApplicationError())) {
    console.error(error);
    process.exit(1);
  }
});

// ---- orders

const wanted = new Map();
const messages = new Map();
const transactions = new Map();
let numbers = 0;
let logins = 0;
let up = false;
let retries = [];  // what waits for the next session

const events = {
  async connected(headers) {
    up = true;
    ++logins;
    say('connected', {headers: pairs(headers)});
    for (const each of wanted.values()) await make(each);
    say('ready', {});
    for (const retry of retries.splice(0)) retry();
  },
  lost() {
    if (!up) return;
    up = false;
    say('lost', {});
  },
  error(headers, body) { say('error', {headers: pairs(headers), body: outward(body)}); },
};
const client = words.client === 'stompit' ? new Stompit(events) : new Stompjs(events);

async function make(each) {
  each.made = await client.subscribe(each.destination, {...each.headers}, (message, headers, body) => {
    const number = ++numbers;
    messages.set(number, message);
    say('message', {
      headers: pairs(headers), size: body.length, crc: crc32(body), parts: 1,
      body: body.length <= 2000 ? body.toString('latin1') : null,
      session: logins, subscription: each.number, number,
    });
    if (words.settle !== undefined) client.settle(message, true, {}, false);
  }).catch(() => undefined);  // the connection went: it is made again
}

function headersOf(order) {
  const headers = {};
  for (const [name, value] of Object.entries(order.headers || {})) headers[inward(name)] = inward(value);
  if (order.transaction !== undefined) headers.transaction = transactions.get(order.transaction).id;
  return headers;
}

function bodyOf(order) {
  if (!order.octets) return Buffer.from(order.body || '', 'latin1');
  const body = Buffer.alloc(order.octets);
  for (let i = 0; i < body.length; ++i) body[i] = i & 0xff;
  return body;
}

/// The numbers from 1 on, `window` at a time, each sent until it has its receipt.
async function load(order) {
  let begun = 0;
  let ended = 0;
  const one = async () => {
    while (begun < order.count) {
      const number = ++begun;
      for (;;) {
        try {
          await client.send(inward(order.destination), Buffer.from(String(number)),
                            {...headersOf(order), 'message-key': String(number)}, true);
          break;
        } catch (error) {
          await new Promise((resolve) => up ? setTimeout(resolve, 20) : retries.push(resolve));
        }
      }
      if (++ended % 100 === 0) say('progress', {count: ended});
    }
  };
  await Promise.all(Array.from({length: order.window || 200}, one));
  return {failed: 0};
}

async function carryOut(order) {
  const headers = headersOf(order);
  switch (order.do) {
    case 'send':
      await client.send(inward(order.destination), bodyOf(order), headers,
                        order.transaction === undefined && order.confirm !== 'none');
      return {value: true};
    case 'subscribe': {
      const number = wanted.size + 1;
      const each = {number, destination: inward(order.destination),
                    headers: {id: order.id || `s${number}`, ack: order.ack, ...headers}};
      if (order.prefetch) each.headers['prefetch-count'] = String(order.prefetch);
      wanted.set(number, each);
      await make(each);
      return {value: number};
    }
    case 'unsubscribe': {
      const each = wanted.get(order.subscription);
      wanted.delete(order.subscription);
      await client.unsubscribe(each.made, headers);
      return {value: true};
    }
    case 'settle':
      await client.settle(messages.get(order.number), order.good !== false, headers,
                          order.transaction === undefined);
      return {value: 0};
    case 'begin':
      transactions.set(++numbers, client.begin());
      return {value: numbers};
    case 'commit':
    case 'abort':
      await client.end(transactions.get(order.transaction), order.do === 'commit');
      return {value: true};
    case 'status':
      return {logins};
    case 'load':
      return load(order);
    default:
      throw new Error('no such order');
  }
}

const lines = readline.createInterface({input: process.stdin});
lines.on('line', (line) => {
  const order = JSON.parse(line);
  carryOut(order).then((more) => say('done', {n: order.n, ...more}),
                       (error) => say('done', {n: order.n, error: String(error.message || error)}));
});
lines.on('close', () => client.close().then(
    () => {
      say('ended', {reason: 'normal'});
      process.exit(0);
    },
    (error) => {
      say('ended', {reason: String(error.message || error)});
      process.exit(1);
    }));
