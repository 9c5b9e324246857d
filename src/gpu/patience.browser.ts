/** Browsers tell by themselves that a promise of WebGPU's is kept. */
export const patiently = <T>(promise: Promise<T>): Promise<T> => promise;
