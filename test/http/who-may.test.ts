// Who may do what: every route with every role, and everybody who tries to come in another way.
import { readFile, stat } from 'node:fs/promises';
import { request as rawRequest } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Access, may, ROLES } from '../../src/http/caller.ts';
import type { RecordingControl } from '../../src/recording/control.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { fileExample, recordingId } from '../archive/library-suite.ts';
import { type DoorUnderTest, openDoor } from './door-under-test.ts';
import { fakeControl, fakeInitiator, liveView } from './fake-control.ts';

const ID = recordingId(1);

/** What every route is for. A route that is missing here fails the test below. */
const EXPECTED: Record<string, Access> = {
  'GET /api/recordings': 'listen',
  'GET /api/recordings/:id': 'listen',
  'GET /api/recordings/:id/audio': 'listen',
  'GET /api/recordings/:id/journal': 'listen',
  'GET /api/recordings/:id/waveform': 'listen',
  'GET /api/recordings/:id/vcon': 'listen',
  'GET /api/statistics': 'listen',
  'PUT /api/recordings/:id/tags': 'manage',
  'POST /api/recordings/:id/notes': 'manage',
  'DELETE /api/recordings/:id/notes/:noteId': 'manage',
  'PUT /api/recordings/:id/hold': 'manage',
  'DELETE /api/recordings/:id/hold': 'admin',
  'DELETE /api/recordings/:id': 'admin',
  'POST /api/import': 'import',
  'PUT /api/import': 'import',
  'POST /api/import/:name': 'import',
  'PUT /api/import/:name': 'import',
  'GET /api/live': 'listen',
  'GET /api/live/events': 'listen',
  'GET /api/live/:id/listen': 'listen',
  'POST /api/live/:id/pause': 'manage',
  'POST /api/live/:id/resume': 'manage',
  'POST /api/live/:id/stop': 'manage',
  'POST /api/record': 'manage',
  'POST /api/session': 'public',
  'GET /api/session': 'listen',
  'DELETE /api/session': 'listen',
  'POST /api/login-codes': 'admin',
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'listen',
};

const isStatic = (url: string) => url.startsWith('/api/docs') || !/^\/(api\/|livez$|readyz$|metrics$)/.test(url);
const filledIn = (url: string) => url.replace(':id', recordingId(99)).replace(':noteId', 'none');

describe('every route with every role', () => {
  test('no route is forgotten, and each is for whom it should be', async () => {
    const { routes } = await openDoor({ control: fakeControl(), initiator: fakeInitiator });
    const dynamic = routes.filter(({ url, method }) => !isStatic(url) && method !== 'HEAD');
    expect(Object.fromEntries(dynamic.map(({ method, url, access }) => [`${method} ${url}`, access]))).toEqual(
      EXPECTED,
    );
    // HEAD is for whom GET is.
    for (const { method, url, access } of routes) {
      if (method === 'HEAD' && !isStatic(url)) expect(access, url).toBe(EXPECTED[`GET ${url}`]);
    }
    for (const { url, access, method } of routes.filter((route) => isStatic(route.url))) {
      expect([access, ['GET', 'HEAD'].includes(method)], url).toEqual(['public', true]);
    }
  });

  test('nobody gets further than the own role', async () => {
    const door = await openDoor({ control: fakeControl(), initiator: fakeInitiator });
    const tokens: [string, string | null][] = [['nobody', null]];
    for (const role of ROLES) tokens.push([role, await door.newToken(role)]);
    tokens.push(['forged', `sipreel_${'A'.repeat(43)}`]);
    for (const { method, url, access } of door.routes.filter((route) => !isStatic(route.url))) {
      for (const [who, token] of tokens) {
        const answer = await door.send(method, filledIn(url), token, ['POST', 'PUT'].includes(method) ? {} : undefined);
        const known = (ROLES as readonly string[]).includes(who);
        const role = known ? (who as (typeof ROLES)[number]) : null;
        const refused = access !== 'public' && !role ? 401 : role && !may(role, access) ? 403 : null;
        const name = `${who}: ${method} ${url}`;
        if (refused) {
          expect(answer.status, name).toBe(refused);
          if (method !== 'HEAD') expect(answer.headers.get('content-type'), name).toMatch('application/problem+json');
          if (refused === 401) expect(answer.headers.get('www-authenticate'), name).toMatch('Bearer');
        } else if (url !== '/api/session' && url !== '/api/login-codes') {
          expect([401, 403], name).not.toContain(answer.status);
        }
        expect(answer.status, name).toBeLessThan(500);
        // Events go on until somebody leaves.
        if (url === '/api/live/events' && answer.ok) await answer.body?.cancel();
        else await answer.arrayBuffer();
      }
    }
  });

  test('only listed clients are called, and only for those who see every recording', async () => {
    const { newToken, send, told } = await openDoor({
      initiator: fakeInitiator,
      settings: { outgoingClients: ['10.0.0.0/8', 'src.example.com'] },
    });
    const manager = await newToken('manage');
    const asks = async (uri: string, token = manager) => (await send('POST', '/api/record', token, { uri })).status;
    fakeInitiator.asked.length = 0;
    expect(await asks('sip:10.1.2.3:5070;transport=tcp')).toBe(201);
    expect(await asks('sip:SRC.example.com')).toBe(201);
    expect(await asks('sip:11.1.2.3')).toBe(403);
    expect(await asks('sip:src.example.com.evil.example')).toBe(403);
    expect(await asks('sip:10.1.2.3;maddr=11.1.2.3')).toBe(400);
    expect(await asks('sip:10.1.2.3?Route=11.1.2.3')).toBe(400);
    expect(await asks('sip:10.1.2.3\r\nX: y')).toBe(400);
    expect(await asks('sip:10.1.2.3', await newToken('manage', { parties: ['1*'] }))).toBe(403);
    expect(fakeInitiator.asked.map(({ uri }) => uri)).toEqual([
      'sip:10.1.2.3:5070;transport=tcp',
      'sip:SRC.example.com',
    ]);
    expect(told.filter(({ action }) => action === 'record')).toHaveLength(5);
  });

  test('an address that does not exist tells nobody anything', async () => {
    const { ask } = await openDoor();
    const answer = await ask('/api/nothing', null);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'NO_SUCH_ROUTE' });
    // No control, no routes for it.
    expect((await ask('/api/live', null)).status).toBe(404);
  });
});

describe('scopes', () => {
  const withAor = (n: number, aor: string, groupId: string | null) => ({
    id: recordingId(n),
    participants: [{ id: 'p', aor, name: null, role: 'caller' as const, channel: 0, rule: 'test' }],
    call: { ...exampleDocument().call, groupId },
  });

  test('what is outside does not exist, on no route', async () => {
    const call = liveView('live', 'sip:1001@x');
    const door = await openDoor({ control: fakeControl([liveView('other', 'sip:2002@x'), call]) });
    await fileExample(door.dataDirectory, withAor(1, 'sip:1001@example.com', null));
    await fileExample(door.dataDirectory, withAor(2, 'sip:2002@example.com', 'sales'));
    const token = await door.newToken('admin', { parties: ['1*'] });
    const bySales = await door.newToken('listen', { groups: ['SALES'] });
    const ids = async (who: string, path = '/api/recordings') =>
      ((await (await door.ask(path, who)).json()) as { items: { id: string }[] }).items.map((item) => item.id);
    expect(await ids(token)).toEqual([recordingId(1)]);
    expect(await ids(bySales)).toEqual([recordingId(2)]);
    expect(await ids(token, '/api/recordings?group=sales')).toEqual([]);
    expect(await (await door.ask('/api/statistics', token)).json()).toMatchObject({ recordings: 1 });
    const live = (await (await door.ask('/api/live', token)).json()) as { items: { recordingId: string }[] };
    expect(live.items.map((item) => item.recordingId)).toEqual(['live']);

    for (const { method, url } of door.routes.filter((route) => route.url.includes(':id'))) {
      const foreign = url.startsWith('/api/live') ? 'other' : recordingId(2);
      const path = url.replace(':id', foreign).replace(':noteId', 'none');
      const body = url.endsWith('/tags') ? { tags: [] } : url.endsWith('/notes') ? { text: 'x' } : {};
      const answer = await door.send(method, path, token, ['POST', 'PUT'].includes(method) ? body : undefined);
      expect(answer.status, `${method} ${url}`).toBe(404);
    }
    expect(door.told).toEqual([]);
    expect((await door.ask(`/api/recordings/${recordingId(1)}/audio`, token)).status).toBe(200);
  });
});

describe('tokens', () => {
  test('expire, are revoked at once, and are not in the file', async () => {
    const door = await openDoor();
    const token = await door.newToken('listen', {}, 'short');
    expect((await door.ask('/api/session', token)).status).toBe(200);
    const text = await readFile(join(door.dataDirectory, 'http', 'tokens.json'), 'utf8');
    expect(text).not.toMatch(token.slice('sipreel_'.length));
    expect((await stat(join(door.dataDirectory, 'http', 'tokens.json'))).mode & 0o777).toBe(0o600);
    await door.tokens.revoke('short');
    expect((await door.ask('/api/session', token)).status).toBe(401);

    const expiresMs = door.clock.wallMs() + 1_000;
    const scope = { parties: [], groups: [] };
    const later = await door.tokens.create({ name: 'later', role: 'admin', scope, expiresMs });
    expect((await door.ask('/api/session', later)).status).toBe(200);
    door.clock.advance(1_000);
    expect((await door.ask('/api/session', later)).status).toBe(401);
  });

  test('names are unique and harmless; two commands at once lose nothing', async () => {
    const { tokens, newToken } = await openDoor();
    await Promise.all(Array.from({ length: 8 }, (_, i) => newToken('listen', {}, `n${i}`)));
    expect((await tokens.all()).map(({ name }) => name).sort()).toEqual(Array.from({ length: 8 }, (_, i) => `n${i}`));
    await expect(newToken('admin', {}, 'n1')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(newToken('admin', {}, '../x')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(newToken('root' as 'admin')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test("the machine's own token is in a file for its owner only, and ends with the process", async () => {
    const door = await openDoor();
    const path = join(door.dataDirectory, 'http', 'local.json');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const answer = await fetch(`${door.local.url}/api/session`, {
      headers: { authorization: `Bearer ${door.local.token}` },
    });
    expect(await answer.json()).toMatchObject({ name: 'local', role: 'admin' });
    await door.door.close();
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  test.each(['Bearer', 'Bearer ', 'Basic YWRtaW46YWRtaW4=', 'Bearer a b', `Bearer ${'x'.repeat(300)}`, 'bearer null'])(
    'what is no token lets nobody in: %s',
    async (authorization) => {
      const { ask } = await openDoor();
      expect((await ask('/api/recordings', null, { headers: { authorization } })).status).toBe(401);
    },
  );
});

/** Logs in and returns what a browser keeps. */
async function login(door: DoorUnderTest, credentials: object, headers: Record<string, string> = {}) {
  const answer = await door.ask('/api/session', null, {
    method: 'POST',
    body: JSON.stringify(credentials),
    headers: { 'content-type': 'application/json', ...headers },
  });
  const setCookie = answer.headers.get('set-cookie') ?? '';
  const body = (await answer.json()) as { csrfToken: string; role: string };
  return { status: answer.status, setCookie, cookie: setCookie.split(';')[0]!, ...body };
}

describe('the page', () => {
  test('a login gives a cookie that scripts and other sites cannot use', async () => {
    const door = await openDoor({ settings: { trustedProxies: ['127.0.0.1'] } });
    const token = await door.newToken('manage', {}, 'ann');
    const plain = await login(door, { token });
    expect(plain.setCookie).toMatch(/^sipreel=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    const behindTls = await login(door, { token }, { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' });
    expect(behindTls.setCookie).toMatch(/^__Host-sipreel=.*; HttpOnly; Secure; SameSite=Strict$/);
    const who = await door.ask('/api/session', null, { headers: { cookie: plain.cookie } });
    expect(await who.json()).toMatchObject({ name: 'ann', role: 'manage', csrfToken: plain.csrfToken });
    expect(door.told).toEqual([
      { action: 'login', who: 'page:ann', from: '127.0.0.1' },
      { action: 'login', who: 'page:ann', from: '192.0.2.7' },
    ]);
  });

  test('X-Forwarded-* of anybody else is not believed', async () => {
    const door = await openDoor();
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' };
    const { setCookie } = await login(door, { token: await door.newToken('listen') }, headers);
    expect(setCookie).toMatch(/^sipreel=/);
    expect(door.told[0]).toMatchObject({ from: '127.0.0.1' });
  });

  test('changes need the token of the session, and our own origin', async () => {
    const door = await openDoor();
    await fileExample(door.dataDirectory, { id: ID });
    const { cookie, csrfToken } = await login(door, { token: await door.newToken('admin') });
    const tag = async (headers: Record<string, string>) =>
      (
        await door.ask(`/api/recordings/${ID}/tags`, null, {
          method: 'PUT',
          body: '{"tags":["x"]}',
          headers: { 'content-type': 'application/json', cookie, ...headers },
        })
      ).status;
    expect(await tag({})).toBe(403);
    expect(await tag({ 'x-csrf-token': '' })).toBe(403);
    expect(await tag({ 'x-csrf-token': csrfToken.replace(/./, (c) => (c === 'A' ? 'B' : 'A')) })).toBe(403);
    const other = await login(door, { token: await door.newToken('admin') });
    expect(await tag({ 'x-csrf-token': other.csrfToken })).toBe(403);
    expect(await tag({ 'x-csrf-token': csrfToken, origin: 'http://evil.example' })).toBe(403);
    expect(await tag({ 'x-csrf-token': csrfToken, origin: 'null' })).toBe(403);
    expect(await tag({ 'x-csrf-token': csrfToken, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await tag({ 'x-csrf-token': csrfToken, 'sec-fetch-site': 'same-site' })).toBe(403);
    expect((await door.library.get(ID))?.annotations.tags).toEqual([]);
    expect(await tag({ 'x-csrf-token': csrfToken, origin: door.url, 'sec-fetch-site': 'same-origin' })).toBe(200);
    // Reading needs no such token.
    expect((await door.ask(`/api/recordings/${ID}`, null, { headers: { cookie } })).status).toBe(200);
  });

  test('a form of another site cannot log anybody in', async () => {
    const door = await openDoor();
    const token = await door.newToken('admin');
    const post = async (type: string, body: string, origin?: string) =>
      (
        await door.ask('/api/session', null, {
          method: 'POST',
          body,
          headers: { 'content-type': type, ...(origin && { origin }) },
        })
      ).status;
    expect(await post('text/plain', JSON.stringify({ token }))).toBe(415);
    expect(await post('application/x-www-form-urlencoded', `token=${token}`)).toBe(415);
    expect(await post('application/json', JSON.stringify({ token }), 'http://evil.example')).toBe(403);
  });

  test.each(['', 'x', 'A'.repeat(43), '%00', 'a'.repeat(5_000), '"; DROP'])(
    'a forged cookie is nobody: %s',
    async (value) => {
      const { ask } = await openDoor();
      const answer = await ask('/api/recordings', null, { headers: { cookie: `sipreel=${value}` } });
      expect(answer.status).toBe(401);
    },
  );

  test('a session ends when it is idle, too old, logged out, or its token is revoked', async () => {
    const door = await openDoor();
    const token = await door.newToken('admin', {}, 'ann');
    const status = async (cookie: string) => (await door.ask('/api/session', null, { headers: { cookie } })).status;
    const hour = 3_600_000;

    const idle = await login(door, { token });
    door.clock.advance(2 * hour);
    expect(await status(idle.cookie)).toBe(401);

    const old = await login(door, { token });
    for (let i = 0; i < 11; i++) {
      door.clock.advance(hour);
      expect(await status(old.cookie)).toBe(200);
    }
    door.clock.advance(hour);
    expect(await status(old.cookie)).toBe(401);

    const out = await login(door, { token });
    const headers = { cookie: out.cookie, 'x-csrf-token': out.csrfToken };
    expect((await door.ask('/api/session', null, { method: 'DELETE', headers })).status).toBe(204);
    expect(await status(out.cookie)).toBe(401);

    const revoked = await login(door, { token });
    await door.tokens.revoke('ann');
    expect(await status(revoked.cookie)).toBe(401);
    await door.newToken('admin', {}, 'ann');
    expect(await status(revoked.cookie)).toBe(401);
  });

  test('the printed link works once, for a quarter of an hour', async () => {
    const door = await openDoor();
    expect(door.loginLink).toMatch(`${door.url}/#login=`);
    const code = door.loginLink.split('#login=')[1]!;
    expect(await login(door, { code })).toMatchObject({ status: 200, role: 'admin' });
    expect((await login(door, { code })).status).toBe(401);
    const next = (await (await door.ask('/api/login-codes', door.local.token, { method: 'POST' })).json()) as {
      code: string;
    };
    door.clock.advance(15 * 60_000);
    expect((await login(door, { code: next.code })).status).toBe(401);
    // A token is not as good as being on the machine.
    expect((await door.ask('/api/login-codes', await door.newToken('admin'), { method: 'POST' })).status).toBe(403);
  });
});

describe('limits', () => {
  test('logins are counted by address, and failed ones are in the audit log', async () => {
    const door = await openDoor();
    const statuses = [];
    for (let i = 0; i < 12; i++) statuses.push((await login(door, { token: `guess-${i}` })).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    expect(door.told).toHaveLength(10);
    expect(door.told[0]).toEqual({ action: 'login-failed', who: 'unknown', from: '127.0.0.1' });
  });

  test('requests are counted by token', async () => {
    const { ask, newToken } = await openDoor({ settings: { requestsPerMinute: 10 } });
    const [greedy, other] = [await newToken('listen'), await newToken('listen')];
    for (let i = 0; i < 10; i++) expect((await ask('/api/recordings', greedy)).status).toBe(200);
    const refused = await ask('/api/recordings', greedy);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect((await ask('/api/recordings', other)).status).toBe(200);
  });
});

describe('names', () => {
  const get = (port: number, host: string) =>
    new Promise<number>((resolve, reject) => {
      rawRequest({ port, host: '127.0.0.1', path: '/livez', headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end();
    });

  test.each([
    ['127.0.0.1:8060', 200],
    ['localhost', 200],
    ['[::1]:8060', 200],
    ['LOCALHOST.:1', 200],
    ['recorder.example.com', 200],
    ['evil.example', 421],
    ['recorder.example.com.evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost@evil.example', 421],
  ])('Host: %s is answered with %i', async (host, status) => {
    const { port } = await openDoor({ settings: { hosts: ['recorder.example.com'] } });
    expect(await get(port, host)).toBe(status);
  });
});

test('orders go to the recorder with who gave them, and into the audit log', async () => {
  const orders: unknown[] = [];
  const control: RecordingControl = {
    ...fakeControl([liveView('r1', 'sip:1001@x')]),
    pause: async (...order) => void orders.push(['pause', ...order]),
    stop: async (...order) => void orders.push(['stop', ...order]),
  };
  const door = await openDoor({ control });
  const token = await door.newToken('manage', {}, 'desk');
  const pause = { target: { scope: 'party', participantId: 'p1' }, reason: 'card number' };
  expect((await door.send('POST', '/api/live/r1/pause', token, pause)).status).toBe(204);
  expect((await door.send('POST', '/api/live/r1/stop', door.local.token, {})).status).toBe(204);
  expect((await door.send('POST', '/api/live/r1/pause', token, { target: { scope: 'all' } })).status).toBe(400);
  expect((await door.send('POST', '/api/live/gone/pause', token, {})).status).toBe(404);
  expect(orders).toEqual([
    ['pause', 'r1', { ...pause, by: 'api:desk' }],
    ['stop', 'r1', { target: { scope: 'call' }, by: 'cli', reason: null }],
  ]);
  expect(door.told).toEqual([
    {
      action: 'pause',
      who: 'token:desk',
      from: '127.0.0.1',
      recordingId: 'r1',
      detail: '{"scope":"party","participantId":"p1"} card number',
    },
    { action: 'stop', who: 'local', from: '127.0.0.1', recordingId: 'r1', detail: '' },
  ]);
});
