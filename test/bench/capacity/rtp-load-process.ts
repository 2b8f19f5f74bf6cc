// The RTP load's process as its owner sees it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoadNews, LoadOrder, SentStream, Stream } from './rtp-load.ts';

const PROGRAM = fileURLToPath(new URL('./rtp-load.ts', import.meta.url));

export interface RtpLoad {
  start(streams: Stream[]): void;
  stop(ids: number[]): Promise<SentStream[]>;
  /** The worst lateness in ms since this was asked last: a load that cannot keep its pace says nothing about a recorder. */
  takeWorstLateMs(): number;
  end(): Promise<void>;
}

export async function startRtpLoad(): Promise<RtpLoad> {
  const child = fork(PROGRAM, { stdio: 'inherit' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const waiting = new Map<number, (sent: SentStream[]) => void>();
  const order = (one: LoadOrder) => void child.send(one);
  let worstLateMs = 0;
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the RTP load ended with ${code}`)));
    child.on('message', (news: LoadNews) => {
      if (news.type === 'ready') resolve();
      else if (news.type === 'pace') worstLateMs = Math.max(worstLateMs, news.worstLateMs);
      else waiting.get(news.ids[0]!)?.(news.sent);
    });
  });
  return {
    start: (streams) => order({ type: 'start', streams }),
    stop: (ids) => {
      const sent = new Promise<SentStream[]>((resolve) => waiting.set(ids[0]!, resolve));
      order({ type: 'stop', ids });
      return sent;
    },
    takeWorstLateMs: () => {
      const worst = worstLateMs;
      worstLateMs = 0;
      return worst;
    },
    end: async () => {
      order({ type: 'end' });
      await exited;
    },
  };
}
