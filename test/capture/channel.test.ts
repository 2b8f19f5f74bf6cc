import { MessageChannel } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AnsweringChannel, CallingChannel } from '../../src/capture/channel.ts';
import { isRecorderError, RecorderError } from '../../src/lib/errors.ts';

interface TestCalls {
  double: { request: { number: number }; response: number };
  fail: { request: { how: 'recorder' | 'other' }; response: undefined };
  wait: { request: Record<string, never>; response: undefined };
}

/** Both ends over a real MessagePort, as between threads. */
function setUp() {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const news: string[] = [];
  const notices: object[] = [];
  let release: () => void = () => {};
  const caller = new CallingChannel<TestCalls, { note: string }, string>(port1, (one) => news.push(one));
  const answerer = new AnsweringChannel<TestCalls, { note: string }, string>(
    port2,
    {
      double: async ({ number }) => number * 2,
      fail: async ({ how }) => {
        if (how === 'recorder') throw new RecorderError('NO_PORTS', 'Tried 64.');
        throw new TypeError('a mistake');
      },
      wait: () => new Promise((resolve) => (release = () => resolve(undefined))),
    },
    (notice) => notices.push(notice),
  );
  return { caller, answerer, news, notices, release: () => release() };
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable('should reject'),
    (error: unknown) => error,
  );
}

describe('the channel to a worker', () => {
  test('answers belong to their calls, whatever their order', async () => {
    const { caller, release } = setUp();
    const slow = caller.call('wait', {});
    expect(await Promise.all([1, 2, 3].map((number) => caller.call('double', { number })))).toEqual([2, 4, 6]);
    release();
    expect(await slow).toBeUndefined();
  });

  test('an error of the catalogue keeps its code and its sentence', async () => {
    const { caller } = setUp();
    const error = await rejection(caller.call('fail', { how: 'recorder' }));
    expect(isRecorderError(error, 'NO_PORTS')).toBe(true);
    expect((error as Error).message).toBe(new RecorderError('NO_PORTS', 'Tried 64.').message);
  });

  test('any other error becomes CAPTURE_FAILED with its text', async () => {
    const { caller } = setUp();
    const error = await rejection(caller.call('fail', { how: 'other' }));
    expect(isRecorderError(error, 'CAPTURE_FAILED')).toBe(true);
    expect((error as Error).message).toContain('TypeError: a mistake');
  });

  test('closing rejects what is pending and what comes later, once', async () => {
    const { caller, answerer, release, news, notices } = setUp();
    const reason = new RecorderError('CAPTURE_FAILED', 'the thread ended');
    const pending = [caller.call('wait', {}), caller.call('wait', {})].map(rejection);
    caller.close(reason);
    caller.close(new Error('too late'));
    expect(await Promise.all(pending)).toEqual([reason, reason]);
    expect(await rejection(caller.call('double', { number: 1 }))).toBe(reason);
    caller.notify({ note: 'nobody hears' });
    release();
    answerer.tell('nobody hears');
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([news, notices]).toEqual([[], []]);
  });

  test('notices and news arrive in order', async () => {
    const { caller, answerer, news, notices } = setUp();
    for (const note of ['a', 'b', 'c']) caller.notify({ note });
    await caller.call('double', { number: 1 });
    for (const one of ['x', 'y']) answerer.tell(one);
    await caller.call('double', { number: 1 });
    expect(notices).toEqual([{ note: 'a' }, { note: 'b' }, { note: 'c' }]);
    expect(news).toEqual(['x', 'y']);
  });
});
