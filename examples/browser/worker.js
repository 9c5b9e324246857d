import { serve } from './model.js';

const carryOut = serve((message) => postMessage(message));
self.onmessage = ({ data }) => carryOut(data);
