// A PostgreSQL of the tests' own: Debian's package, a cluster in a temporary directory, reached over a socket in it.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGES = '/usr/lib/postgresql';

export interface TestPostgres {
  /** An empty database of that name, or the one that is there. */
  database(name: string): Promise<string>;
  stop(): Promise<void>;
}

export async function postgresIsInstalled(): Promise<boolean> {
  const installed = (await readdir(PACKAGES).catch(() => [])).length > 0;
  if (!installed) console.warn('SKIPPED: PostgreSQL is not installed (Debian: postgresql)');
  return installed;
}

/** Only where it is installed. Gone without a trace once it is stopped. */
export async function startPostgres(parent = tmpdir(), further: string[] = []): Promise<TestPostgres> {
  const directory = await mkdtemp(join(parent, 'sipreel-postgres-'));
  const postgres = await runPostgres(directory, further);
  return {
    ...postgres,
    async stop() {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What is in `directory` goes on, and stays there. */
export async function runPostgres(directory: string, further: string[]): Promise<TestPostgres> {
  const versions = (await readdir(PACKAGES)).sort((a, b) => Number(b) - Number(a));
  const version = versions[0] ?? '';
  const bin = join(PACKAGES, version, 'bin');
  // By files, as all versions did before 15: through the log it takes three times the CPU.
  const copying = Number(version) >= 15 ? ' strategy file_copy' : '';
  // It refuses to run as root.
  const identity = userInfo().uid === 0 ? await identityOf('postgres') : null;
  if (identity) await chown(directory, identity.uid, identity.gid);
  const data = join(directory, 'data');
  if (!existsSync(data)) {
    await run(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
      ...identity,
      cwd: directory,
    });
  }
  const settings = ['listen_addresses=', `unix_socket_directories=${directory}`, 'fsync=off', ...further].flatMap(
    (setting) => ['-c', setting],
  );
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings], {
    ...identity,
    cwd: directory,
    stdio: 'ignore',
  });
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const psql = (...parameters: string[]) => run(join(bin, 'psql'), ['-h', directory, '-U', 'postgres', ...parameters]);
  const stop = async () => {
    server.kill('SIGINT');
    await gone;
  };
  for (let attempt = 1; ; attempt++) {
    try {
      await psql('-c', 'select 1');
      break;
    } catch (error) {
      if (attempt < 100) await new Promise((resolve) => setTimeout(resolve, 100));
      else {
        await stop();
        throw error;
      }
    }
  }
  return {
    async database(name) {
      const { stdout } = await psql('-Atc', `select 1 from pg_database where datname = '${name}'`);
      if (stdout.trim() === '') await psql('-c', `create database ${name}${copying}`);
      return `postgres://postgres@localhost/${name}?host=${encodeURIComponent(directory)}`;
    },
    stop,
  };
}

async function identityOf(user: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await run('id', [flag, user])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}
