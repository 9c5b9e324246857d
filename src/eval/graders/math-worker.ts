import { parentPort } from 'node:worker_threads';
import { gradeMath } from './math.ts';

parentPort?.on('message', ({ response, right }: { response: string; right: string }) => {
  parentPort?.postMessage(gradeMath(response, right));
});
// Everything is loaded: the time of an answer counts from here on.
parentPort?.postMessage('ready');
