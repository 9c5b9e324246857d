// The model is served as it lies in the package: publicDir is copied beside the page.
export default {
  base: './',
  publicDir: 'node_modules/egps/models',
  worker: { format: 'es' },
  // Of WebGPU's browsers the oldest.
  build: { target: ['chrome113', 'firefox141', 'safari26'] },
};
