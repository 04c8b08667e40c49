// TCP for 32-bit MicroPython: each connection is a device file, which tcp/socket.py opens.
// Rule: a read, a write or a poll never waits; bytes move between two turns of the script only, when the event loop
// of JavaScript has its say. Errors bear the numbers of MicroPython.
import net from 'node:net';
import { setImmediate } from 'node:timers/promises';

const EAGAIN = 11, EIO = 5;
const ERRNO = { EPIPE: 32, ECONNABORTED: 103, ECONNRESET: 104, ETIMEDOUT: 110, ECONNREFUSED: 111 };
const IN = 1, OUT = 4, ERR = 8, HUP = 16; // of select.poll
const BUFFER = 5744; // bytes: what is written waits here until the turn ends; about what an ESP32 has
const MAJOR = 70; // of the device numbers; no other device has it
const REST_MS = 10; // how long nothing may happen before the script has its next turn

export class Network {
  #FS;
  #opened = 0;
  #sockets = new Set();
  #moved = false; // in this turn
  #ring = () => {};

  constructor(mp) {
    this.#FS = mp.FS;
    mp.registerJsModule('_tcp', { connect: (host, port) => this.#connect(host, port) });
  }

  /** Let time pass: until something comes, or is connected, sent or cut; a moment where the last turn moved bytes. */
  async rest() {
    for (const socket of this.#sockets) socket.uncork();
    if (this.#moved) await setImmediate();
    else {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, REST_MS);
        this.#ring = () => { clearTimeout(timer); resolve(); };
      });
    }
    this.#moved = false;
    for (const socket of this.#sockets) socket.cork();
  }

  /** Begin to connect; return the path of the device. */
  #connect(host, port) {
    const socket = net.connect({ host, port, noDelay: true, allowHalfOpen: true, highWaterMark: BUFFER });
    let ended = false, error = 0;
    socket.on('end', () => { ended = true; });
    socket.on('error', (cause) => { error = ERRNO[cause.code] ?? EIO; });
    for (const event of ['connect', 'readable', 'drain', 'end', 'error']) socket.on(event, () => this.#ring());
    const check = (ready) => {
      if (error || !ready) throw new this.#FS.ErrnoError(error || EAGAIN);
    };
    const readable = () => {
      if (!socket.readableLength) socket.read(0); // so that the end is told
      return socket.readableLength || ended;
    };
    const room = () => (socket.connecting ? 0 : Math.max(BUFFER - socket.writableLength, 0));
    this.#sockets.add(socket);
    socket.cork(); // so that nothing leaves the buffer within a turn
    return this.#device({
      open(stream) { stream.seekable = false; },
      close: () => {
        this.#sockets.delete(socket);
        socket.uncork();
        socket.destroySoon();
      },
      read: (_, memory, offset, length) => {
        check(readable());
        const n = Math.min(length, socket.readableLength);
        if (n) memory.set(socket.read(n), offset);
        this.#moved = true;
        return n;
      },
      write: (_, memory, offset, length) => {
        check(room());
        const n = Math.min(length, room());
        socket.write(Buffer.from(memory.subarray(offset, offset + n)));
        this.#moved = true;
        return n;
      },
      poll: () => (error ? IN | OUT | ERR | HUP : (readable() ? IN : 0) | (room() ? OUT : 0)),
    });
  }

  #device(operations) {
    this.#opened += 1;
    const path = `/dev/tcp${this.#opened}`, number = this.#FS.makedev(MAJOR, this.#opened);
    this.#FS.registerDevice(number, operations);
    this.#FS.mkdev(path, 0o666, number);
    return path;
  }
}
