import { Address } from './http/address.ts';
import type { ModelFiles } from './source.ts';

/** What is below an address, which may begin where the page, or the script of the worker, is. */
export const filesIn = (address: string | ModelFiles): ModelFiles =>
  typeof address === 'string' ? new Address(addressOf(address)) : address;

export const addressOf = (text: string): URL => new URL(text, globalThis.document?.baseURI ?? location.href);
