const encoder = new TextEncoder();

export const EVENTS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** Sends an event. Gives a promise, to be waited for, where the reader is slow; throws when it has gone. */
export type Send = (data: string) => Promise<void> | undefined;

/**
 * A stream of server-sent events. Those that come together are written together.
 * @param produce sends them; the stream ends with it
 * @param left called when the reader goes away before
 */
export function events(produce: (send: Send) => Promise<void>, left: () => void): ReadableStream<Uint8Array> {
  let unsent = '';
  let gone = false;
  let free: Promise<void> | undefined;
  let onFree = () => {};
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const flush = () => {
        if (gone || unsent === '') return;
        controller.enqueue(encoder.encode(unsent));
        unsent = '';
        if ((controller.desiredSize ?? 0) > 0) return;
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
      produce(send)
        .catch(() => {}) // it has told of its errors itself
        .then(() => {
          flush();
          if (!gone) controller.close();
        });
    },
    pull() {
      free = undefined;
      onFree();
    },
    cancel() {
      gone = true;
      onFree();
      left();
    },
  });
}
