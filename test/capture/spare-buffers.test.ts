import { expect, test } from 'vitest';
import { BUFFER_OCTETS, SpareBuffers } from '../../src/capture/spare-buffers.ts';

test('what was given back is taken again, and nobody gets what another has', () => {
  const spares = new SpareBuffers();
  const [first, second] = [spares.take(), spares.take()];
  expect(first.buffer).not.toBe(second.buffer);
  spares.give(first);
  expect(spares.take()).toBe(first);
  expect(spares.take()).not.toBe(second);
});

test('neither the largest nor all of many are kept, and nothing too small', () => {
  const spares = new SpareBuffers();
  spares.give(Buffer.alloc(1 << 20));
  spares.give(Buffer.alloc(BUFFER_OCTETS - 1));
  expect(spares.count).toBe(0);
  for (let i = 0; i < 1000; i++) spares.give(Buffer.alloc(BUFFER_OCTETS));
  expect(spares.count).toBe(256);
});
