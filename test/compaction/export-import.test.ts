import { createWriteStream, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { exportStoreOn } from '#src/compaction/export.js';
import { importStoreOn } from '#src/compaction/import.js';
import {
  ExportFailedError,
  type ExportFormat,
  type ExportSink,
  exportStore,
  importStore,
  openStore,
  type Progress,
  type RecollectError,
} from '#src/index.js';
import { openLogOnSync } from '#src/log/open-log.js';
import { systemError } from '#src/log/system-error.js';
import {
  again,
  copyings,
  FILE,
  furnishedDisk,
  runAndDie,
  SOURCE,
  TARGET,
} from '../support/copying.js';
import { SeededRandom } from '../support/random.js';
import { environmentOn } from '../support/story.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

async function storeWith(commits: number, text = 'x') {
  const root = temporaryDirectory();
  const directory = join(root, 'store');
  const store = await openStore(directory, { segmentBytes: 4096 });
  const appends = Array.from({ length: commits }, (_, number) =>
    store.append(
      `notes/${number % 3}`,
      { type: 'noted', data: { number, text } },
      { actor: 'anna' },
    ),
  );
  await Promise.all(appends);
  await store.close();
  return { root, directory };
}

const linesOf = (...lines: string[]) => `${lines.join('\n')}\n`;

/** Imports a file of that content; gives the events, or the error. */
async function imported(
  content: string | Buffer,
  format: ExportFormat = 'ndjson',
  options: object = {},
) {
  const root = temporaryDirectory();
  const file = join(root, 'file');
  writeFileSync(file, content);
  try {
    await importStore(file, join(root, 'new'), { format, ...options });
  } catch (error) {
    expect(readdirSync(root)).toEqual(['file']);
    throw error;
  }
  const store = await openStore(join(root, 'new'), { readOnly: true });
  const events = await store.readAll().toArray();
  await store.close();
  return events;
}

describe('an export', () => {
  test('writes an event a line, as it is stored, and ends the stream', async () => {
    const { root, directory } = await storeWith(10);
    const file = join(root, 'events.ndjson');
    const report = await exportStore(directory, createWriteStream(file), { format: 'ndjson' });
    const text = readFileSync(file, 'utf8');
    const store = await openStore(directory, { readOnly: true });
    const events = await store.readAll().toArray();
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(events);
    expect(report).toEqual({
      commits: 10,
      events: 10,
      bytes: Buffer.byteLength(text),
      head: store.head,
    });
    await store.close();
  });

  test('writes CloudEvents with attributes of allowed names and kinds only', async () => {
    const { directory } = await storeWith(3);
    const store = await openStore(directory);
    await store.append(
      'notes/9',
      { type: 'noted', schemaVersion: 3, data: null, metadata: { why: [1] } },
      { reason: 'so', idempotencyKey: 'k' },
    );
    const lines: string[] = [];
    const sink = async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) lines.push(piece.toString());
    };
    await exportStore(directory, sink, { format: 'cloudevents' });
    const events = lines
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const { data: _, ...attributes } of events) {
      expect(attributes).toMatchObject({
        specversion: '1.0',
        source: `urn:uuid:${store.id}`,
        datacontenttype: 'application/json',
      });
      for (const [name, value] of Object.entries(attributes)) {
        expect(name).toMatch(/^[a-z0-9]+$/);
        expect(typeof value).toMatch(/^(string|number|boolean)$/);
      }
    }
    expect(events.at(-1)).toMatchObject({
      id: '4.0',
      subject: 'notes/9',
      schemaversion: 3,
      metadata: '{"why":[1]}',
      idempotencykey: 'k',
      streamversion: 1,
      commitlast: true,
    });
    await store.close();
  });

  test('waits for who takes slowly, and reads no further than that', async () => {
    const { directory } = await storeWith(3000, 'x'.repeat(1000));
    let waiting: (() => void) | undefined;
    let taken = 0;
    const slow = new Writable({
      highWaterMark: 1000,
      write(piece: Buffer, _, done) {
        taken += piece.length;
        waiting = done;
      },
    });
    const seen: Progress[] = [];
    const ended = exportStore(directory, slow, {
      format: 'ndjson',
      onProgress: (progress) => seen.push(progress),
    });
    while (waiting === undefined) await setImmediate();
    for (let turn = 0; turn < 200; turn += 1) await setImmediate();
    expect(taken).toBeLessThan(10_000);
    // How often it is told depends on the clock; how far it may be does not.
    for (const { done } of seen) expect(done).toBeLessThan(1000);
    slow._write = (piece: Buffer, _, done) => {
      taken += piece.length;
      done();
    };
    waiting();
    const { bytes } = await ended;
    expect(taken).toBe(bytes);
    expect(seen.at(-1)).toMatchObject({ phase: 'write', unit: 'commits', done: 3000, total: 3000 });
  });

  test('tells a sink that fails from the store that it reads', async () => {
    const { root, directory } = await storeWith(2000);
    const failing = (error: Error) =>
      new Writable({ write: (_piece, _encoding, done) => done(error) });
    const failureOf = async (sink: ExportSink) => {
      const ended = exportStore(directory, sink, { format: 'ndjson' });
      return await ended.then(
        () => undefined,
        (error: ExportFailedError) => error,
      );
    };
    const full = systemError('ENOSPC', 'write');
    const gone = systemError('EPIPE', 'write');
    const thrown = new Error('no more');
    for (const [sink, cause] of [
      [failing(full), full],
      [failing(gone), gone],
      [failing(thrown), thrown],
      [async () => Promise.reject(full), full],
      [
        async (lines: AsyncIterable<Buffer>) => {
          for await (const _ of lines) throw thrown;
        },
        thrown,
      ],
    ] as const) {
      const error = await failureOf(sink);
      expect(error).toBeInstanceOf(ExportFailedError);
      expect(error).toMatchObject({ code: 'EXPORT_FAILED', file: undefined, cause });
      expect(error?.message).toContain(cause.message);
      expect(error?.message).not.toContain(directory);
    }
    const closed = new Writable({ write: () => closed.destroy() });
    expect(await failureOf(closed)).toMatchObject({
      code: 'EXPORT_FAILED',
      cause: { code: 'ERR_STREAM_PREMATURE_CLOSE' },
    });
    const file = join(root, 'missing', 'events.ndjson');
    expect(await failureOf(createWriteStream(file))).toMatchObject({
      file,
      cause: { code: 'ENOENT' },
    });
  });

  test.each(['end', 'destroy'] as const)(
    'fails at once when the stream was told to %s before, or while the store was opened',
    async (call) => {
      const { directory } = await storeWith(3);
      const before = new PassThrough().resume();
      before[call]();
      const meanwhile = new PassThrough().resume();
      const failures = [before, meanwhile].map((sink) =>
        exportStore(directory, sink, { format: 'ndjson' }).catch((error: unknown) => error),
      );
      meanwhile[call]();
      for (const error of await Promise.all(failures)) {
        expect(error).toBeInstanceOf(ExportFailedError);
        expect(error).toMatchObject({ code: 'EXPORT_FAILED', file: undefined });
        expect((error as Error).message).toMatch(
          /the stream was (ended|destroyed) before it began/,
        );
      }
    },
  );

  test('tells a disk that fails under the store as that of the store', async () => {
    const base = await furnishedDisk();
    const run = async (call?: number) => {
      const disk = again(base);
      const process = disk.process('a');
      if (call !== undefined) process.inject({ call, code: 'EIO' });
      const environment = environmentOn(process, disk, new SeededRandom(1));
      await exportStoreOn(environment, SOURCE, new PassThrough().resume(), { format: 'ndjson' });
      return disk.trace.filter(({ process }) => process === 'a');
    };
    const reads = (await run()).filter(({ method }) => method === 'read');
    const codes = await Promise.all(
      reads.map(({ number }) =>
        run(number).then(
          () => 'none',
          (error: RecollectError) => error.code,
        ),
      ),
    );
    expect(codes).toContain('STORE_ACCESS');
    expect(codes).not.toContain('EXPORT_FAILED');
  });

  test('fails when its sink does, when it is told to, and for a store that is damaged', async () => {
    const { directory } = await storeWith(100);
    const failing = new Writable({
      write: (_piece, _encoding, done) => done(new Error('no more')),
    });
    await expect(exportStore(directory, failing, { format: 'ndjson' })).rejects.toThrow('no more');
    const reason = new Error('enough');
    const controller = new AbortController();
    const stuck = new Writable({ write: () => controller.abort(reason) });
    await expect(
      exportStore(directory, stuck, { format: 'ndjson', signal: controller.signal }),
    ).rejects.toBe(reason);
    expect(stuck.destroyed).toBe(true);
    await expect(
      exportStore(directory, new PassThrough(), { format: 'csv' as never }),
    ).rejects.toThrow(TypeError);
    await expect(exportStore(directory, {} as never, { format: 'ndjson' })).rejects.toThrow(
      TypeError,
    );
    const [name = ''] = readdirSync(join(directory, 'log'));
    const path = join(directory, 'log', name);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"number":1', '"number":2'));
    await expect(
      exportStore(directory, new PassThrough().resume(), { format: 'ndjson' }),
    ).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
  });
});

describe('an import', () => {
  test('refuses what is not whole, and says where', async () => {
    const event = '{"stream":"a","type":"t","data":{}}';
    const cases: [string | Buffer, number, number, RegExp][] = [
      ['', 1, 1, /no event/],
      ['\n\n', 1, 1, /no event/],
      ['hello', 1, 1, /not JSON/],
      [linesOf(event, '{"stream":"a","type"'), 2, 21, /ends where ":"/],
      [linesOf(event, '{"stream":"a","type":"t","data":"un'), 2, 33, /string that is not closed/],
      [linesOf(event, '{"stream":"a","type":"t","data":{"x":1, "x":2}}'), 2, 41, /stands twice/],
      [linesOf('{"stream":"a","type":"t","data":[12345678901234567890]}'), 1, 34, /number/],
      [linesOf('{"stream":"a","type":"t","data":-0}'), 1, 33, /number/],
      [linesOf('{"stream":"a","type":"t","data":"\\ud800"}'), 1, 1, /surrogate/],
      [linesOf('[1]'), 1, 1, /one JSON object/],
      [linesOf('{"stream":"a","type":"t"}'), 1, 1, /\$\.data: it is missing/],
      [linesOf('{"stream":"a","type":"t","data":1,"extra":1}'), 1, 1, /\$\.extra/],
      [linesOf('{"stream":"","type":"t","data":1}'), 1, 1, /must not be empty/],
      [linesOf('{"stream":"a\\u0007","type":"t","data":1}'), 1, 1, /control character/],
      [
        linesOf('{"stream":"a","type":"t","data":1,"version":2}'),
        1,
        1,
        /\$\.version: it must be 1/,
      ],
      [linesOf('{"stream":"a","type":"t","data":1,"metadata":[]}'), 1, 1, /\$\.metadata/],
      [linesOf('{"stream":"a","type":"t","data":1,"time":"2026-01-01T00:00:00"}'), 1, 1, /zone/],
      [linesOf('{"stream":"a","type":"t","data":1,"last":false}'), 1, 1, /ends inside a commit/],
      [
        linesOf('{"position":2,"stream":"a","type":"t","data":1}'),
        1,
        1,
        /\$\.position: it must be 1/,
      ],
      [Buffer.from([0x7b, 0xff, 0x0a]), 1, 2, /UTF-8/],
      [Buffer.from([0x1f, 0x8b, 0x08, 0x00]), 1, 2, /compressed/],
    ];
    for (const [content, line, column, problem] of cases) {
      const error = await imported(content).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error, String(content)).toMatchObject({
        code: 'IMPORT_FAILED',
        line,
        column,
        message: expect.stringMatching(problem),
      });
    }
  });

  test('takes events that name only stream, type and data, with blank lines and without a last line end', async () => {
    const events = await imported(
      '{"stream":"a","type":"t","data":1}\r\n\n{"type": "t", "stream": "a", "data": {"b": 1.50}}',
    );
    expect(events).toMatchObject([
      { id: '1.0', stream: 'a', version: 1, data: 1 },
      { id: '2.0', stream: 'a', version: 2, data: { b: 1.5 } },
    ]);
  });

  test('refuses times that go back, or takes them as those before when it is told to', async () => {
    const at = (time: string) => JSON.stringify({ stream: 'a', type: 't', data: 1, time });
    const lines = linesOf(at('2026-01-02T00:00:00Z'), at('2026-01-01T00:00:00+01:00'));
    await expect(imported(lines)).rejects.toMatchObject({ line: 2, message: /clampTimes/ });
    const events = await imported(lines, 'ndjson', { clampTimes: true });
    expect(events.map(({ time }) => time)).toEqual([
      '2026-01-02T00:00:00.000Z',
      '2026-01-02T00:00:00.000Z',
    ]);
  });

  test('takes CloudEvents of other programs: the stream is the subject, or the source', async () => {
    const base = { specversion: '1.0', type: 'com.example.made', source: '/shop' };
    const lines = [
      {
        ...base,
        id: 'a',
        subject: 'order/1',
        time: '2026-01-01T10:00:00.5+02:00',
        data: { n: 1 },
        traceparent: '00-1',
      },
      { ...base, id: 'b', data_base64: 'AAEC', datacontenttype: 'application/octet-stream' },
      { ...base, id: 'c', subject: 'order/1', position: 7 },
    ].map((event) => JSON.stringify(event));
    const events = await imported(linesOf(...lines), 'cloudevents');
    expect(events).toMatchObject([
      {
        stream: 'order/1',
        version: 1,
        type: 'com.example.made',
        time: '2026-01-01T08:00:00.500Z',
        data: { n: 1 },
        metadata: { cloudevent: { id: 'a', source: '/shop', traceparent: '00-1' } },
      },
      {
        stream: '/shop',
        version: 1,
        data: 'AAEC',
        metadata: {
          cloudevent: { id: 'b', encoding: 'base64', datacontenttype: 'application/octet-stream' },
        },
      },
      {
        stream: 'order/1',
        version: 2,
        data: null,
        metadata: { cloudevent: { id: 'c', position: 7 } },
      },
    ]);
    const wrong = [
      [{ ...base, id: '' }, /\$\.id/],
      [{ ...base, id: 'x', specversion: '0.3' }, /specversion/],
      [{ ...base, id: 'x', 'not-allowed': 1 }, /lower-case/],
      [{ ...base, id: 'x', extra: {} }, /no object/],
      [{ ...base, id: 'x', data: 1, data_base64: 'AA==' }, /not both/],
    ] as const;
    for (const [event, problem] of wrong) {
      await expect(imported(linesOf(JSON.stringify(event)), 'cloudevents')).rejects.toMatchObject({
        line: 1,
        message: problem,
      });
    }
  });

  test('takes streams and whatever gives bytes or text, and passes on what they fail with', async () => {
    const root = temporaryDirectory();
    const line = '{"stream":"a","type":"t","data":"ü"}\n';
    const bytes = Buffer.from(line.repeat(3));
    const bits = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
    for (const [name, source] of [
      ['bits', Readable.from(bits)],
      ['text', Readable.from([line, line, line])],
    ] as const) {
      const report = await importStore(source, join(root, name), { format: 'ndjson' });
      expect(report).toMatchObject({ commits: 3, events: 3, resumed: false });
    }
    const failing = async function* () {
      yield line;
      throw new Error('cut off');
    };
    await expect(
      importStore(failing(), join(root, 'failing'), { format: 'ndjson' }),
    ).rejects.toThrow('cut off');
    const objects = Readable.from([{ stream: 'a' }]);
    await expect(importStore(objects, join(root, 'objects'), { format: 'ndjson' })).rejects.toThrow(
      /object mode/,
    );
    await expect(importStore({} as never, join(root, 'x'), { format: 'ndjson' })).rejects.toThrow(
      TypeError,
    );
    await expect(
      importStore(join(root, 'none'), join(root, 'x'), { format: 'ndjson' }),
    ).rejects.toMatchObject({ code: 'IMPORT_FAILED' });
    await expect(
      importStore(Readable.from([line]), join(root, 'bits'), { format: 'ndjson' }),
    ).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    expect(readdirSync(root).sort()).toEqual(['bits', 'text']);
  });

  test('ends when it is told to, also while its source gives nothing', async () => {
    const root = temporaryDirectory();
    const controller = new AbortController();
    const reason = new Error('enough');
    const source = new PassThrough();
    source.write('{"stream":"a","type":"t","data":1}\n');
    const ended = importStore(source, join(root, 'new'), {
      format: 'ndjson',
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(reason), 20);
    await expect(ended).rejects.toBe(reason);
    expect(readdirSync(root)).toEqual([]);
  });

  test('refuses a second one at the same place while the first goes on', async () => {
    const { root, directory } = await storeWith(2000);
    const file = join(root, 'events');
    await exportStore(directory, createWriteStream(file), { format: 'ndjson' });
    const both = [1, 2].map(() => importStore(file, join(root, 'new'), { format: 'ndjson' }));
    const outcomes = await Promise.allSettled(both);
    const refused = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as Error] : [],
    );
    expect(refused).toMatchObject([
      { code: expect.stringMatching(/^(STORE_ACCESS|TARGET_EXISTS)$/) },
    ]);
    expect(existsSync(join(root, 'new/store.json'))).toBe(true);
  });

  test('of a file goes on where it was killed, and begins anew when the file is another one', async () => {
    const base = await furnishedDisk();
    const copying = copyings['an import'];
    if (!copying) throw new Error('there is no import');
    const resume = async (isOther: boolean) => {
      const outcomes: boolean[] = [];
      for (let call = 40; call < 120; call += 3) {
        const disk = await runAndDie(base, copying, call, 'after');
        const process = disk.process('b');
        if (process.facts(TARGET) !== undefined) continue;
        if (isOther) {
          const file = process.open(FILE, 'write');
          const at = disk.contentOf(FILE)?.indexOf('"number":1') ?? -1;
          process.write(file, Buffer.from('7'), 0, 1, at + '"number":'.length);
          process.close(file);
        }
        const environment = environmentOn(process, disk, new SeededRandom(call));
        const report = await importStoreOn(environment, FILE, TARGET, { format: 'ndjson' }, 1000);
        expect(report.commits).toBe(copying.commits);
        outcomes.push(report.resumed);
      }
      return outcomes;
    };
    expect(await resume(false)).toContain(true);
    expect(await resume(true)).not.toContain(true);
  });

  test('that goes on with a file that is shorter now holds nothing of what it had behind that', async () => {
    const base = await furnishedDisk();
    const copying = copyings['an import'] as (typeof copyings)[string];
    const kept = 18;
    let resumed = 0;
    for (let call = 40; call < 120; call += 3) {
      const disk = await runAndDie(base, copying, call, 'after');
      const process = disk.process('b');
      if (process.facts(TARGET) !== undefined) continue;
      const lines = (disk.contentOf(FILE) ?? Buffer.of()).toString().split('\n');
      const end = lines.findLastIndex((line) => line.startsWith('{') && positionIn(line) <= kept);
      const file = process.open(FILE, 'write');
      process.truncate(file, Buffer.byteLength(linesOf(...lines.slice(0, end + 1))));
      process.close(file);
      const environment = environmentOn(process, disk, new SeededRandom(call));
      const report = await importStoreOn(environment, FILE, TARGET, { format: 'ndjson' }, 1000);
      if (report.resumed) resumed += 1;
      expect(report.commits).toBe(kept);
      const log = openLogOnSync(
        environmentOn(disk.process('c'), disk, new SeededRandom(1)),
        TARGET,
        {
          create: false,
        },
      );
      expect({ position: log.head.position, ...log.recovery }).toEqual({
        position: kept,
        state: 'clean',
      });
      log.closeSync();
    }
    expect(resumed).toBeGreaterThan(0);
  });
});

function positionIn(line: string): number {
  return (JSON.parse(line) as { position: number }).position;
}
