import type { AdapterChoice } from '../gpu/adapter.ts';
import { type AdapterDescription, Gpu } from '../gpu/device.ts';
import { type Parsed, value } from './args.ts';
import { adapterText } from './format.ts';
import type { Io } from './io.ts';

/** The adapter that the command line asks for. */
export function chosenAdapter(parsed: Parsed): AdapterChoice {
  return { adapter: value(parsed, 'adapter'), requireGpu: parsed.flags.has('require-gpu') };
}

const told = new WeakSet<Io>();

/** The first line of every command that computes; one that opens the adapter again does not repeat it. */
export function sayAdapter(adapter: AdapterDescription, io: Io): void {
  if (told.has(io)) return;
  told.add(io);
  io.err(`adapter: ${adapterText(adapter)}\n`);
}

/** Opens the adapter for no longer than it takes to describe it, and says which it is. @throws AdapterError, OptionError */
export async function lookAtAdapter(choice: AdapterChoice, io: Io): Promise<AdapterDescription> {
  const gpu = await Gpu.open(choice);
  gpu.dispose();
  sayAdapter(gpu.adapter, io);
  return gpu.adapter;
}
