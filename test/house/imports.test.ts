// Imports run only downwards, and rooms on one floor never import each other.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** From the roof to the ground. A room may import from the floors below it, and from itself. */
const FLOORS = [
  ['cli.ts'],
  ['commands'],
  ['index.ts'],
  ['app.ts'],
  ['recover', 'signalling.ts'],
  ['config', 'drachtio'],
  ['siprec', 'oreka', 'http', 'client'],
  ['capture', 'render', 'archive', 'delivery'],
  ['recording'],
  ['journal', 'rtp', 'database'],
  ['lib'],
];
/** A library of its own: Node's built-ins and lib/ only, and only signalling.ts builds one. */
const LIBRARY = 'sip-server';

function filesUnder(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) return filesUnder(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

const roomOf = (path: string) => relative(src, path).split('/')[0] ?? '';
const floorOf = (room: string) => FLOORS.findIndex((rooms) => rooms.includes(room));

function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const specifiers = [...text.matchAll(/^\s*(?:import|export)[^'"]*?from\s+['"]([^'"]+)['"]/gm)].map(
    (match) => match[1]!,
  );
  const dynamic = [...text.matchAll(/import\(\s*['"]([^'"]+)['"]\s*\)/g)].map((match) => match[1]!);
  const bare = [...text.matchAll(/^\s*import\s+['"]([^'"]+)['"]/gm)].map((match) => match[1]!);
  return [...specifiers, ...dynamic, ...bare];
}

/** Null if allowed, else what is wrong. */
function verdict(from: string, to: string): string | null {
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)];
  const arrow = `${relative(src, from)} imports ${relative(src, to)}`;
  if (fromRoom === toRoom) return null;
  if (toRoom === LIBRARY)
    return fromRoom === 'signalling.ts' ? null : `${arrow}: only signalling.ts builds the SIP server`;
  if (fromRoom === LIBRARY) return toRoom === 'lib' ? null : `${arrow}: the SIP server imports lib/ only`;
  if (floorOf(fromRoom) < 0 || floorOf(toRoom) < 0) return `${arrow}: a room that is on no floor`;
  if (floorOf(toRoom) === floorOf(fromRoom)) return `${arrow}: rooms on one floor`;
  return floorOf(toRoom) > floorOf(fromRoom) ? null : `${arrow}: upwards`;
}

test('imports run only downwards', () => {
  const wrong: string[] = [];
  let arrows = 0;
  for (const file of filesUnder(src)) {
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue;
      arrows++;
      const problem = verdict(file, resolve(dirname(file), specifier));
      if (problem) wrong.push(problem);
    }
  }
  expect(arrows).toBeGreaterThan(50);
  expect(wrong).toEqual([]);
});

test('the SIP server needs nothing but Node', () => {
  const foreign = filesUnder(join(src, LIBRARY)).flatMap((file) =>
    importsOf(file)
      .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .map((specifier) => `${relative(src, file)} imports ${specifier}`),
  );
  expect(foreign).toEqual([]);
});

test('the check itself finds wrong arrows', () => {
  const at = (path: string) => join(src, path);
  expect(verdict(at('recording/a.ts'), at('capture/b.ts'))).toMatch(/upwards/);
  expect(verdict(at('render/a.ts'), at('capture/b.ts'))).toMatch(/one floor/);
  expect(verdict(at('siprec/a.ts'), at('sip-server/index.ts'))).toMatch(/only signalling.ts/);
  expect(verdict(at('sip-server/a.ts'), at('recording/b.ts'))).toMatch(/lib/);
  expect(verdict(at('utils/a.ts'), at('lib/b.ts'))).toMatch(/no floor/);
  expect(verdict(at('app.ts'), at('capture/b.ts'))).toBeNull();
});

test('no file has grown past one subject', () => {
  const long = filesUnder(src)
    .map((file) => ({ file: relative(src, file), lines: readFileSync(file, 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});
