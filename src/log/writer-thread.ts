/**
 * The writer thread: runs the critical section for asynchronous appends, so that their callers' thread does no file I/O. It needs the
 * main thread for nothing but decisions: no console, no import later than its start.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  type AnswerLetter,
  DECISION_MS,
  errorLetter,
  type GroupLetter,
  LetterBox,
  type MovedLetter,
  type RequestLetter,
  type ResultLetter,
  type ThreadSetup,
  Turn,
  Word,
} from './channel.js';
import { realEnvironment } from './environment.js';
import type { GroupRequest, GroupResult } from './group-request.js';
import { pathsOf } from './paths.js';
import type { Place } from './place.js';
import { RealDisk } from './real-disk.js';
import { Section } from './section.js';

const setup = workerData as ThreadSetup;
const control = new Int32Array(setup.control);
const box = new LetterBox(control, setup.letters);
const movedBytes = Buffer.from(setup.moved);
const buffers = new Map<number, Buffer>();
const environment = { ...realEnvironment(new RealDisk()), writer: setup.writer };
const section = new Section(
  environment,
  {
    paths: pathsOf(setup.directory),
    store: setup.store,
    segmentBytes: setup.segmentBytes,
    label: setup.label,
  },
  setup.lockFile,
  setup.lockInode,
);

function pass(turn: number): void {
  Atomics.store(control, Word.turn, turn);
  Atomics.notify(control, Word.turn);
}

/** The buffer of that number; new ones come through the port before the first request that names them. */
function bufferOf(number: number): Buffer {
  for (;;) {
    const message = receiveMessageOnPort(setup.port);
    if (!message) break;
    const { number: name, memory } = message.message as {
      number: number;
      memory: SharedArrayBuffer | null;
    };
    if (memory === null) buffers.delete(name);
    else buffers.set(name, Buffer.from(memory));
  }
  const buffer = buffers.get(number);
  if (!buffer) throw new Error('a request named a buffer that was never handed over');
  return buffer;
}

function requestOf(letter: GroupLetter): GroupRequest {
  return { ...letter, buffer: bufferOf(letter.buffer) };
}

/** Asks the main thread for a new decision and waits for it, but not for long: the lock is held. */
function decideAgain(bytes: Buffer, place: Place): GroupRequest | undefined {
  bytes.copy(movedBytes);
  const letter: MovedLetter = { bytes: bytes.length, place };
  box.put(letter);
  pass(Turn.moved);
  Atomics.wait(control, Word.turn, Turn.moved, DECISION_MS);
  // Too late: the turn is taken back, unless the answer is just coming.
  if (Atomics.compareExchange(control, Word.turn, Turn.moved, Turn.request) === Turn.moved) {
    return undefined;
  }
  while (Atomics.load(control, Word.turn) === Turn.answering) {
    Atomics.wait(control, Word.turn, Turn.answering);
  }
  const answer = box.take<AnswerLetter>();
  return answer.kind === 'group' ? requestOf(answer) : undefined;
}

function letterOf(result: GroupResult): ResultLetter {
  if (result.kind !== 'written') return result;
  const { moved, ...written } = result;
  if (!moved) return written;
  moved.others.copy(movedBytes);
  return { ...written, moved: { ...moved, others: moved.others.length } };
}

function run(request: RequestLetter): ResultLetter {
  const patience = {
    deadline: request.deadline,
    interrupted: () => Atomics.load(control, Word.interrupt) !== 0,
  };
  try {
    if (request.kind === 'group') {
      return letterOf(section.write(requestOf(request), patience, decideAgain));
    }
    if (request.kind === 'segment') {
      const ended = section.endSegment(patience);
      return typeof ended === 'string' ? { kind: ended } : { kind: 'ended', place: ended };
    }
    const outcome = section.anchor(patience);
    return { kind: outcome };
  } catch (error) {
    const poisoned = section.poison !== undefined;
    return { kind: 'failed', error: errorLetter(error), poisoned };
  }
}

// Closed by the system when this thread ends, however it ends: so a main thread that blocks can see it.
const witness = environment.disk.open(pathsOf(setup.directory).lock, 'read');
Atomics.store(control, Word.witness, witness);
Atomics.store(control, Word.ready, 1);
Atomics.notify(control, Word.ready);
for (;;) {
  const turn = Atomics.load(control, Word.turn);
  if (turn === Turn.request) {
    const result = run(box.take<RequestLetter>());
    box.put(result);
    pass(Turn.result);
  } else if (turn === Turn.close) {
    break;
  } else {
    Atomics.wait(control, Word.turn, turn);
  }
}
section.close();
environment.disk.close(witness);
setup.port.close();
pass(Turn.closed);
