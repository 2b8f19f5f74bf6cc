// A PostgreSQL of the tests' own: Debian's package, a cluster in a temporary directory, reached over a socket in it.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, readdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';

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

/** Only where it is installed. What is in `directory` goes on, and stays there. */
export async function runPostgres(directory: string, further: string[]): Promise<TestPostgres> {
  const server = await launchPostgres(directory, further);
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const end = async () => {
    server.kill('SIGINT');
    await gone;
  };
  const postgres = await connectPostgres(directory).catch(async (error) => {
    await end();
    throw error;
  });
  return {
    database: (name) => postgres.database(name),
    async stop() {
      await postgres.stop();
      await end();
    },
  };
}

/** The server's process, which may not listen yet; its socket is in `directory`. */
export async function launchPostgres(directory: string, further: string[] = []): Promise<ChildProcess> {
  const versions = (await readdir(PACKAGES)).sort((a, b) => Number(b) - Number(a));
  const version = versions[0] ?? '';
  const bin = join(PACKAGES, version, 'bin');
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
  return spawn(join(bin, 'postgres'), ['-D', data, ...settings], { ...identity, cwd: directory, stdio: 'ignore' });
}

/** To what somebody else runs, or is about to run, in `directory`; `stop` leaves it running. Rejects after ten seconds. */
export async function connectPostgres(directory: string): Promise<TestPostgres> {
  const client = await connected(directory);
  // By files, as all versions did before 15: through the log it takes three times the CPU.
  const { rows } = await client.query("select current_setting('server_version_num')::int >= 150000 as by_files");
  const copying = rows[0].by_files ? ' strategy file_copy' : '';
  return {
    async database(name) {
      const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
      if (rowCount === 0) await client.query(`create database ${name}${copying}`);
      return `postgres://postgres@localhost/${name}?host=${encodeURIComponent(directory)}`;
    },
    stop: () => client.end(),
  };
}

async function connected(directory: string): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    const client = new Client({ host: directory, user: 'postgres', database: 'postgres' });
    // Whoever stops the server cuts it off.
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function identityOf(user: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await run('id', [flag, user])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}
