import os from 'node:os';
import * as assert from 'uvu/assert';
import { Gpu } from '../../src/gpu/device.ts';
import { patiently } from '../../src/gpu/patience.ts';
import { suite } from '../support/suite.ts';

const test = suite('patience');
const after = (ms: number) => new Promise<string>((resolve) => setTimeout(resolve, ms, 'kept'));

/** Turns of the event loop until a promise is kept. */
async function turnsOf(promise: Promise<unknown>): Promise<number> {
  let [turns, over] = [0, false];
  const count = () => {
    turns++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await promise;
  over = true;
  return turns;
}

test('the event loop turns a few times a millisecond while something is waited for, and freely afterwards', async () => {
  const impatient = await turnsOf(after(200));
  const patient = await turnsOf(patiently(after(200)));
  assert.ok(patient < impatient / 4, `${patient} turns, ${impatient} without patience`);
  assert.ok((await turnsOf(after(200))) > 4 * patient, 'turns are made to last though nothing is waited for');
});

test('many waits at once end each in its time, with what the promise gives', async () => {
  const order: number[] = [];
  const waits = [60, 5, 30].map(async (ms) => {
    assert.is(await patiently(after(ms)), 'kept');
    order.push(ms);
  });
  await Promise.all(waits);
  assert.equal(order, [5, 30, 60]);
});

test('a promise that is broken throws, and ends the waiting', async () => {
  await patiently(Promise.reject(new Error('lost')))
    .then(() => assert.unreachable())
    .catch((error) => assert.is(error.message, 'lost'));
  const [free, patient] = [await turnsOf(after(100)), await turnsOf(patiently(after(100)))];
  assert.ok(free > 4 * patient, `${free} turns after the end, ${patient} while waiting`);
});

test('a short wait leaves the core to others where there are many', async () => {
  const turnsAt = async (load: number) => {
    const { loadavg } = os;
    os.loadavg = () => [load, load, load];
    try {
      let turns = 0;
      for (let i = 0; i < 20; i++) turns += await turnsOf(patiently(after(5)));
      return turns;
    } finally {
      os.loadavg = loadavg;
    }
  };
  const cores = os.availableParallelism();
  const [alone, crowd] = [await turnsAt(cores), await turnsAt(2 * cores)];
  assert.ok(crowd < alone / 4, `${crowd} turns in a crowd, ${alone} alone`);
});

test('a device that computes on the CPU is waited for patiently, another is not', async () => {
  const gpu = await Gpu.open();
  const { cpu } = gpu.adapter;
  const [waiting, free] = [await turnsOf(gpu.wait(after(200))), await turnsOf(after(200))];
  gpu.dispose();
  assert.is(waiting < free / 4, cpu, `${waiting} turns, ${free} without`);
});

test.run();
