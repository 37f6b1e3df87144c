import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Uart16550 } from '@vireo/devices/uart16550';
import fc from 'fast-check';
import { withinMs } from '../testing/run-vcpus.ts';
import { SerialGuest } from '../testing/serial-guest.ts';
import { SerialConsole } from './serial-console.ts';

const LIMIT_MS = 30_000;

/** Bytes in which a lost, doubled or moved one shows. */
function pattern(lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => (i * 7 + (i >> 8) * 3) & 0xff);
}

/** An output that keeps what it gets, and takes its time. */
class Sink extends Writable {
  readonly chunks: Buffer[] = [];
  readonly #delay: () => Promise<unknown>;

  constructor(delay: () => Promise<unknown> = () => Promise.resolve(), highWaterMark = 16_384) {
    super({ highWaterMark });
    this.#delay = delay;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk);
    void this.#delay().then(() => done());
  }
}

/** An output that takes one chunk and then nothing until it is let go. */
function stuckSink() {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  return { sink: new Sink(() => released, 1), release };
}

function attached(output: Writable, input: Readable = new PassThrough()) {
  const console = new SerialConsole();
  console.connect({ input, output });
  const guest = new SerialGuest(console);
  console.attach(guest.hostPort);
  return { console, guest };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const wait = async () => {
    while (!condition()) await setImmediate();
  };
  await withinMs(LIMIT_MS, wait()).catch((error) => assert.fail(`${what}: ${error}`));
}

describe('output', () => {
  for (const [name, makeSink] of [
    ['a fast reader', () => new Sink()],
    ['a slow reader, which the guest waits for', () => new Sink(() => sleep(2), 1000)],
  ] as const) {
    test(`arrives whole and in order at ${name}`, async () => {
      const sink = makeSink();
      const { console, guest } = attached(sink);
      const bytes = pattern(300_000);
      await withinMs(LIMIT_MS, guest.print(bytes));
      await until('the rest of the output', () => sink.bytes.length >= bytes.length);
      assert.deepEqual(new Uint8Array(sink.bytes), bytes);
      console.close();
    });
  }

  test('of a guest that nobody reads stays in the port, and the guest waits', async () => {
    const { sink, release } = stuckSink();
    const { console, guest } = attached(sink);
    const bytes = pattern(400_000);
    const printing = guest.print(bytes);
    await until('the transmitter to be busy', () => !guest.transmitterReady);
    assert.ok(sink.writableLength <= 65_536, `${sink.writableLength} bytes are in the stream`);
    release();
    await withinMs(LIMIT_MS, printing);
    await until('the rest of the output', () => sink.bytes.length >= bytes.length);
    assert.deepEqual(new Uint8Array(sink.bytes), bytes);
    console.close();
  });

  test('that is left when the machine goes is sent, however slow the reader is', async () => {
    const { sink, release } = stuckSink();
    const { console, guest } = attached(sink);
    guest.printNow(Buffer.from('first '));
    console.collect();
    guest.printNow(Buffer.from('last words\r\nKernel panic - not syncing: as the last thing\r\n'));
    console.collect();
    assert.equal(sink.bytes.toString(), 'first ');
    console.detach();
    assert.equal(console.panic, 'as the last thing');
    let isReady = false;
    const ready = console.ready().then(() => {
      isReady = true;
    });
    await sleep(10);
    assert.equal(isReady, false);
    release();
    await withinMs(LIMIT_MS, ready);
    await until('the output', () => sink.bytes.includes('thing\r\n'));
    assert.match(sink.bytes.toString(), /^first last words\r\n/);
    console.close();
  });

  test('of one machine comes before that of the next', async () => {
    const { sink, release } = stuckSink();
    const { console, guest } = attached(sink);
    guest.printNow(Buffer.from('a'));
    console.collect();
    guest.printNow(Buffer.from('bc'));
    console.detach();
    const next = new SerialGuest(console);
    console.attach(next.hostPort);
    next.printNow(Buffer.from('def'));
    console.collect();
    release();
    await until('the output', () => sink.bytes.length >= 6);
    assert.equal(sink.bytes.toString(), 'abcdef');
    console.close();
  });

  test('goes nowhere once its reader has gone, and the guest goes on', async () => {
    const { sink } = stuckSink();
    sink.on('error', () => {});
    const { console, guest } = attached(sink);
    guest.printNow(Buffer.from('x'));
    console.collect();
    const printing = guest.print(pattern(300_000));
    await until('the transmitter to be busy', () => !guest.transmitterReady);
    sink.destroy();
    await withinMs(LIMIT_MS, printing);
    await withinMs(LIMIT_MS, console.ready());
    console.close();
  });

  test('of a guest that never stops printing keeps nobody waiting', () => {
    const { console } = attached(new Sink());
    const endless = { drain: () => 100, receive: () => 0 } as unknown as Uart16550;
    console.attach(endless);
    console.collect();
    console.attach(new SerialGuest(console).hostPort);
    console.close();
  });
});

describe('input', () => {
  test('arrives whole and in order at a guest that reads slowly, and waits meanwhile', async () => {
    const input = new PassThrough({ highWaterMark: 8192 });
    const { console, guest } = attached(new Sink(), input);
    const bytes = pattern(100_000);
    let sent = 0;
    const feed = async () => {
      while (sent < bytes.length) {
        const chunk = bytes.subarray(sent, sent + 1500);
        sent += chunk.length;
        if (!input.write(chunk)) await new Promise((resolve) => input.once('drain', resolve));
      }
    };
    const feeding = feed();
    await sleep(20);
    assert.ok(sent < 60_000, `${sent} bytes were taken though the guest has read none`);
    assert.ok(input.isPaused());
    const received: Uint8Array[] = [];
    let length = 0;
    await until('all input', () => {
      const part = guest.read(97);
      received.push(part);
      length += part.length;
      return length >= bytes.length;
    });
    await feeding;
    assert.deepEqual(new Uint8Array(Buffer.concat(received)), bytes);
    console.close();
  });

  test('without a machine is not read into memory, and the next machine gets all of it', async () => {
    const bytes = pattern(50_000);
    let produced = 0;
    const input = new Readable({
      highWaterMark: 1000,
      read() {
        const chunk = bytes.subarray(produced, produced + 1000);
        produced += chunk.length;
        this.push(chunk.length > 0 ? chunk : null);
      },
    });
    const console = new SerialConsole();
    console.connect({ input, output: new Sink() });
    await sleep(20);
    assert.ok(produced <= 5000, `${produced} bytes were read with no machine to take them`);
    const guest = new SerialGuest(console);
    console.attach(guest.hostPort);
    const received: Uint8Array[] = [];
    let length = 0;
    await until('all input', () => {
      const part = guest.read(1000);
      received.push(part);
      length += part.length;
      return length >= bytes.length;
    });
    assert.deepEqual(new Uint8Array(Buffer.concat(received)), bytes);
    console.close();
  });

  test('that comes between two machines goes to the second', async () => {
    const input = new PassThrough();
    const { console } = attached(new Sink(), input);
    console.detach();
    for (const word of ['typed ', 'while ', 'rebooting']) {
      input.write(word);
      await setImmediate();
    }
    const next = new SerialGuest(console);
    console.attach(next.hostPort);
    let text = '';
    await until('the words', () => {
      text += Buffer.from(next.read(100)).toString();
      return text.length >= 21;
    });
    assert.equal(text, 'typed while rebooting');
    console.close();
  });

  test('is let go of by close', async () => {
    const input = new PassThrough();
    const output = new Sink();
    const { console } = attached(output, input);
    console.close();
    console.close();
    assert.ok(input.isPaused());
    for (const [stream, event] of [
      [input, 'data'],
      [output, 'drain'],
      [output, 'close'],
    ] as const)
      assert.equal((stream as NodeJS.EventEmitter).listenerCount(event), 0, event);
  });
});

/** Takes everything at once. */
function devNull(): Writable {
  return new Writable({ highWaterMark: 2 ** 30, write: (_chunk, _encoding, done) => done() });
}

/** What a console makes of output that is cut into these chunks. */
function panicOf(chunks: readonly (string | Buffer)[]): string | undefined {
  const { console, guest } = attached(devNull());
  for (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
    for (let at = 0; at < bytes.length; at += 60_000) {
      guest.printNow(bytes.subarray(at, at + 60_000));
      console.collect();
    }
  }
  const { panic } = console;
  console.close();
  return panic;
}

describe('panic line', () => {
  const MESSAGE = 'Attempted to kill init! exitcode=0x00000100';
  const noise = fc.string({
    unit: fc.constantFrom('K', 'e', 'r', 'n', ' ', 'p', '\r', '\n', '-', ':', '\0'),
    maxLength: 1500,
  });

  test('is found wherever it is cut, whatever surrounds it, with either line end', () => {
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });
    fc.assert(
      fc.property(noise, noise, cuts, fc.constantFrom('\n', '\r\n', '\r'), (before, after, cuts, lineEnd) => {
        const text = `${before}[    1.234567] Kernel panic - not syncing: ${MESSAGE}${lineEnd}${after}`;
        const places = cuts.map((cut) => Math.floor(cut * text.length)).sort((a, b) => a - b);
        const chunks = [...places, text.length].map((place, i) => text.slice(places[i - 1] ?? 0, place));
        assert.equal(panicOf(chunks), MESSAGE);
      }),
    );
  });

  test('is found when it comes byte by byte', () => {
    assert.equal(panicOf([...`\r\nKernel panic - not syncing: ${MESSAGE}\r\n`]), MESSAGE);
  });

  test('is complete only at its end', () => {
    assert.equal(panicOf(['Kernel panic - not syncing: VFS: Unable to mo']), undefined);
    assert.equal(
      panicOf(['Kernel panic - not syncing: VFS: Unable to mo', 'unt root fs\n']),
      'VFS: Unable to mount root fs',
    );
  });

  test('the first one counts', () => {
    const lines = 'Kernel panic - not syncing: first\n---[ end Kernel panic - not syncing: second ]---\n';
    assert.equal(panicOf([lines]), 'first');
  });

  test('other talk of panics is none', () => {
    assert.equal(
      panicOf(['Kernel command line: panic=-1\nKernel panic\nkernel panic - not syncing: x\n']),
      undefined,
    );
  });

  test('of one machine is forgotten by the next', () => {
    const { console, guest } = attached(new Sink());
    guest.printNow(Buffer.from('Kernel panic - not syncing: x\nKernel panic - not sync'));
    console.detach();
    assert.equal(console.panic, 'x');
    const next = new SerialGuest(console);
    console.attach(next.hostPort);
    assert.equal(console.panic, undefined);
    next.printNow(Buffer.from('ing: glued together\n'));
    console.detach();
    assert.equal(console.panic, undefined);
    console.close();
  });

  test('shows no control characters and has an end, whatever the guest prints', () => {
    assert.equal(panicOf(['Kernel panic - not syncing: \x1b[31mred\x07 \xff\t!\n']), '?[31mred? ??!');
    const long = panicOf([`Kernel panic - not syncing: ${'x'.repeat(100_000)}\n`]);
    assert.equal(long, 'x'.repeat(512));
  });

  test('costs a hostile guest no memory and little time', () => {
    const { console, guest } = attached(devNull());
    const part = Buffer.from('Kernel panic - not syncing: Kernel panic - not syncin'.repeat(1000));
    const heapBefore = process.memoryUsage().heapUsed;
    const start = performance.now();
    const rounds = 300; // 16 MB
    for (let i = 0; i < rounds; i++) {
      guest.printNow(part);
      console.collect();
    }
    const byBytes = performance.now();
    for (let i = 0; i < 20_000; i++) {
      guest.printNow(part.subarray(i, i + 1));
      console.collect();
    }
    const end = performance.now();
    // Quadratic would be minutes, and all of it kept 16 MB and more.
    assert.ok(byBytes - start < 20_000, `${byBytes - start} ms`);
    assert.ok(end - byBytes < 10_000, `${end - byBytes} ms`);
    assert.ok(process.memoryUsage().heapUsed - heapBefore < 64 * 2 ** 20);
    assert.equal(console.panic, undefined);
    console.close();
  });
});
