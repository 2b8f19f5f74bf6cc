import { expect, test } from 'vitest';
import { collectGarbage } from '../../src/lib/garbage.ts';

test('what nobody holds is gone', () => {
  const held = new WeakRef(thrownAway());
  // A WeakRef holds what it was made of until the turn ends.
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    collectGarbage();
    expect(held.deref()).toBeUndefined();
    expect('gc' in globalThis).toBe(process.execArgv.includes('--expose-gc'));
  });
});

function thrownAway(): object {
  return { much: new Array(1000).fill(0) };
}
