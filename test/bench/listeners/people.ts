// The process of those who listen, as its owner sees it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Heard } from './judge.ts';
import type { Access, PeopleNews, PeopleOrder, Played, WantedCall } from './people-process.ts';

const PROGRAM = fileURLToPath(new URL('./people-process.ts', import.meta.url));

export interface People {
  /** One listener for each. Resolves when all have heard something. */
  listen(access: Access, calls: WantedCall[]): Promise<void>;
  play(access: Access, recordingIds: string[], players: number): void;
  /** Everybody leaves, and the process ends. */
  leave(): Promise<{ heard: Heard[]; played: Played }>;
  kill(): void;
}

export async function startPeople(): Promise<People> {
  const child = fork(PROGRAM, { stdio: 'inherit' });
  const news = <Type extends PeopleNews['type']>(type: Type) =>
    new Promise<PeopleNews & { type: Type }>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the listeners' process ended with ${code}`)));
      child.on('message', (one: PeopleNews) => one.type === type && resolve(one as PeopleNews & { type: Type }));
    });
  const order = (one: PeopleOrder) => void child.send(one);
  await news('ready');
  return {
    listen: async (access, calls) => {
      order({ type: 'listen', access, calls });
      await news('listening');
    },
    play: (access, recordingIds, players) => order({ type: 'play', access, recordingIds, players }),
    leave: () => {
      order({ type: 'leave' });
      return news('left');
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
