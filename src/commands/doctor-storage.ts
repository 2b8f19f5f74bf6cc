// `sipreel doctor`: the directories that recordings go to, each against the floor below which no call is taken.
import { constants } from 'node:fs';
import { access, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const MIB = 2 ** 20;
/** Below so much above the floor calls will soon be refused: an hour of a G.711 call takes about 250 MB. */
const LEAST_ROOM_MIB = 1024;

export async function checkStorage(config: Config): Promise<Finding[]> {
  const { data, spool, archive } = storagePlaces(config);
  const uses = new Map<string, string[]>();
  for (const [use, directory] of [
    ['data', data],
    ['spool', spool],
    ['archive', archive],
  ] as const) {
    uses.set(directory, [...(uses.get(directory) ?? []), use]);
  }
  const findings = [];
  for (const [directory, names] of uses) {
    // Only the data directory is made: a missing one of its own is a disk that is not mounted.
    findings.push(
      await checkDirectory(`${names.join(', ')} directory ${directory}`, directory, config, directory === data),
    );
  }
  return findings;
}

async function checkDirectory(what: string, directory: string, config: Config, make: boolean): Promise<Finding> {
  const probe = join(directory, `.doctor-${process.pid}`);
  try {
    if (make) await mkdir(directory, { recursive: true });
    await access(directory, constants.W_OK);
    await writeFile(probe, 'x');
    await rm(probe);
  } catch (error) {
    return fail(`${what} cannot be written: ${(error as Error).message}`);
  }
  const { bavail, blocks, bsize } = await statfs(directory);
  const freeMiB = (bavail * bsize) / MIB;
  const { floorMiB, floorPercent } = config.storage;
  const floor = Math.max(floorMiB, ((blocks * bsize) / MIB) * (floorPercent / 100));
  const text = `${what} can be written, ${gib(freeMiB)} free; new calls are refused below ${gib(floor)}`;
  if (freeMiB < floor) return fail(`${text}: make room, or lower storage.floorMiB and storage.floorPercent`);
  return freeMiB < floor + LEAST_ROOM_MIB ? warn(`${text}: an hour of a G.711 call takes about 250 MB`) : ok(text);
}

const gib = (mib: number) => `${(mib / 1024).toFixed(1)} GiB`;
