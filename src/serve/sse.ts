const encoder = new TextEncoder();
/** Writes that may wait for a reader before it is called slow: a run that waits misses the passes of the others. */
const BEHIND = 4;

export const EVENTS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** Sends an event. Gives a promise, to be waited for, where the reader is slow; throws when it has gone. */
export type Send = (data: string) => Promise<void> | undefined;

/**
 * A stream of server-sent events. Those that come together are written together.
 * @param produce sends them; the stream ends with it. After `hurry` no reader is waited for
 * @param left called when the reader goes away before
 */
export function events(
  produce: (send: Send, hurry: () => void) => Promise<void>,
  left: () => void,
): ReadableStream<Uint8Array> {
  let unsent = '';
  let gone = false;
  let patient = true;
  let free: Promise<void> | undefined;
  let onFree = () => {};
  const release = () => {
    free = undefined;
    onFree();
  };
  const hurry = () => {
    patient = false;
    release();
  };
  const source: UnderlyingDefaultSource<Uint8Array> = {
    start(controller) {
      const flush = () => {
        if (gone || unsent === '') return;
        controller.enqueue(encoder.encode(unsent));
        unsent = '';
        if (!patient || (controller.desiredSize ?? 0) > 0) return;
        free ??= new Promise((resolve) => {
          onFree = resolve;
        });
      };
      const send: Send = (data) => {
        if (gone) throw new Error('nobody reads these events');
        if (unsent === '') setImmediate(flush);
        unsent += `data: ${data}\n\n`;
        return free;
      };
      produce(send, hurry)
        .catch(() => {}) // it has told of its errors itself
        .then(() => {
          flush();
          if (!gone) controller.close();
        });
    },
    pull: release,
    cancel() {
      gone = true;
      onFree();
      left();
    },
  };
  return new ReadableStream<Uint8Array>(source, { highWaterMark: BEHIND });
}
