import { AdapterError } from '../base/errors.ts';
import { Usage } from './device.ts';

const QUERY_RESOLVE = 0x200;
const MAP_MODE_READ = 0x1;
/** Of a query set, by WebGPU's rules. */
const MOST_QUERIES = 4096;

/**
 * Runs each of these in a compute pass of its own, one after another.
 * @returns nanoseconds of the GPU's own clock: the begin and the end of each pass
 * @throws AdapterError where the device has no timestamp queries
 */
export async function timePasses(
  device: GPUDevice,
  passes: readonly ((pass: GPUComputePassEncoder) => void)[],
): Promise<BigUint64Array> {
  if (!device.features.has('timestamp-query')) {
    throw new AdapterError('the adapter has no timestamp queries (WebGPU feature "timestamp-query")');
  }
  const count = 2 * passes.length;
  if (count > MOST_QUERIES)
    throw new Error(`${count} timestamps are asked for: ${MOST_QUERIES} are possible`);
  const querySet = device.createQuerySet({ type: 'timestamp', count });
  const resolved = device.createBuffer({ size: 8 * count, usage: QUERY_RESOLVE | Usage.COPY_SRC });
  const staging = device.createBuffer({ size: 8 * count, usage: Usage.MAP_READ | Usage.COPY_DST });
  try {
    const encoder = device.createCommandEncoder();
    for (const [i, record] of passes.entries()) {
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
      });
      record(pass);
      pass.end();
    }
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_MODE_READ);
    return new BigUint64Array(staging.getMappedRange().slice(0));
  } finally {
    querySet.destroy();
    resolved.destroy();
    staging.destroy();
  }
}
