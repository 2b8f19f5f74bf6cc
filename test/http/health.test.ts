// For those who watch: health, figures, and that the examples speak of figures that exist. And the API's own description.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { receiveBufferErrors } from '../../src/http/live-gauges.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { openDoor, READY } from './door-under-test.ts';
import { fakeControl, liveView } from './fake-control.ts';

const example = (name: string) =>
  readFile(fileURLToPath(new URL(`../../examples/prometheus/${name}`, import.meta.url)), 'utf8');

test('readiness: words for those whom we know, the sentence of the catalogue for everybody else', async () => {
  const message = 'The disk is almost full. (spoolFreeMiB 3, again at 9)';
  const gauges = [{ name: 'spoolFreeMiB', value: 3, refuseAt: 8, acceptAt: 9, refusing: true }];
  const readiness = () => ({ ready: false, reasons: [{ code: 'STORAGE_LOW' as const, message }], gauges });
  const door = await openDoor({ readiness });
  expect((await door.ask('/livez', null)).status).toBe(200);
  const refused = await door.ask('/readyz', null);
  expect(refused.status).toBe(503);
  expect(await refused.text()).not.toMatch('spoolFreeMiB');
  const known = await door.ask('/readyz', await door.newToken('listen'));
  expect(await known.json()).toEqual({ ready: false, reasons: [{ code: 'STORAGE_LOW', message }], gauges });
  const ready = await openDoor();
  expect((await ready.ask('/readyz', null)).status).toBe(200);
});

async function figures(door: Awaited<ReturnType<typeof openDoor>>) {
  const answer = await door.ask('/metrics', door.local.token);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
  const text = await answer.text();
  const value = (line: string) => {
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.split(' ').at(-1));
  };
  return { text, value };
}

test('requests that access control refused are counted by reason', async () => {
  const { value } = await figures(await openDoor());
  expect(value('sipreel_sip_requests_refused_total{reason="scanners"}')).toBe(3);
  expect(value('sipreel_sip_requests_refused_total{reason="sources"}')).toBe(0);
});

test('figures count what was filed and show what goes on', async () => {
  const silent = liveView('r1', 'sip:1@x');
  const held = { ...liveView('r2', 'sip:2@x'), streams: [{ ...silent.streams[0]!, receiving: false }] };
  const door = await openDoor({ control: fakeControl([silent, held]) });
  door.clock.advance(60_000);
  const heard = { ...exampleStream('s0'), packets: 98, lost: 2, jitterMs: 3, drops: { stun: 4 } };
  door.door.filed(exampleDocument({ streams: [heard, exampleStream('s1')] }));
  const { value } = await figures(door);
  expect(value('sipreel_recordings_filed_total{source="siprec",state="finished"}')).toBe(1);
  expect(value('sipreel_rtp_packets_total{fate="recorded"}')).toBe(98);
  expect(value('sipreel_rtp_packets_total{fate="lost"}')).toBe(2);
  expect(value('sipreel_datagrams_dropped_total{reason="stun"}')).toBe(4);
  expect(value('sipreel_silent_sides_total')).toBe(1);
  expect(value('sipreel_stream_jitter_seconds_bucket{le="0.002"}')).toBe(0);
  expect(value('sipreel_stream_jitter_seconds_bucket{le="0.005"}')).toBe(1);
  expect(value('sipreel_recordings_without_media')).toBe(1);
  expect(value('sipreel_recordings_active')).toBe(READY.gauges[0]!.value);
  expect(value('sipreel_delivery_events{target="crm",state="waiting"}')).toBe(3);
  expect(value('sipreel_delivery_events{target="crm",state="given-up"}')).toBe(1);
  expect(value('sipreel_queue_recordings{queue="finish"}')).toBe(2);
  expect(value('sipreel_queue_oldest_seconds{queue="finish"}')).toBe(1.5);
  expect(value('sipreel_queue_recordings{queue="store"}')).toBe(0);
  expect(value('sipreel_ready')).toBe(1);
  expect(value('sipreel_rtp_port_pairs{state="free"}')).toBe(92);
  expect(value('sipreel_capture_worker_deaths_total')).toBe(1);
  expect(value('sipreel_disk_bytes{state="free"}')).toBeGreaterThan(0);
  expect((await figures(door)).value('sipreel_capture_worker_deaths_total')).toBe(1);
});

test('every figure in the alert rules and the dashboard exists', async () => {
  const door = await openDoor();
  const { text } = await figures(door);
  const alerts = parse(await example('alerts.yaml')) as { groups: { rules: { alert: string; expr: string }[] }[] };
  const dashboard = JSON.parse(await example('dashboard.json')) as { panels: { targets: { expr: string }[] }[] };
  const rules = alerts.groups.flatMap((group) => group.rules);
  const expressions = [
    ...rules.map((rule) => rule.expr),
    ...dashboard.panels.flatMap(({ targets }) => targets.map((t) => t.expr)),
  ];
  const named = new Set(expressions.flatMap((expr) => expr.match(/\b(?:sipreel|nodejs|process)_\w+/g) ?? []));
  expect(named.size).toBeGreaterThan(20);
  for (const name of named) expect(text, name).toMatch(`# TYPE ${name.replace(/_bucket$/, '')} `);
  expect(rules.map((rule) => rule.alert)).toEqual(
    expect.arrayContaining(['SipreelCallWithoutRtp', 'SipreelRefusesCalls']),
  );
});

test('figures are for those with a token, unless the configuration opens them', async () => {
  expect((await (await openDoor()).ask('/metrics', null)).status).toBe(401);
  expect((await (await openDoor({ settings: { metrics: 'open' } })).ask('/metrics', null)).status).toBe(200);
});

test("the kernel's counters, as Linux prints them", () => {
  const snmp =
    'Ip: Forwarding DefaultTTL\nIp: 1 64\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 10 2 3 40 5 6\n';
  expect(receiveBufferErrors(snmp, 'Udp6InErrors                    \t1\nUdp6RcvbufErrors                \t7\n')).toBe(
    12,
  );
  expect(receiveBufferErrors(snmp, '')).toBe(5);
  expect(receiveBufferErrors('', '')).toBeNull();
});

test('the API describes itself, all of it, and its page loads nothing from elsewhere', async () => {
  const door = await openDoor({ control: fakeControl() });
  const description = (await (await door.ask('/api/docs/json', null)).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { summary?: string }>>;
  };
  expect(description.openapi).toBe('3.1.0');
  for (const { method, url } of door.routes) {
    if (method === 'HEAD' || !/^\/(api\/(?!docs)|livez|readyz|metrics)/.test(url)) continue;
    const path = url.replace(/:(\w+)/g, '{$1}');
    expect(description.paths[path]?.[method.toLowerCase()]?.summary, `${method} ${url}`).toBeTruthy();
  }
  const page = await door.ask('/api/docs/', null);
  const html = await page.text();
  expect(page.headers.get('content-security-policy')).toMatch("script-src 'self'");
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  expect(links.length).toBeGreaterThan(2);
  for (const link of links) {
    expect(link).not.toMatch(/^(https?:)?\/\//);
    expect((await door.ask(new URL(link, `${door.url}/api/docs/`).pathname, null)).status, link).toBe(200);
  }
  // The content policy forbids scripts and styles inside the page.
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>\s*\S/);
});

test('answers carry what keeps browsers from doing harm', async () => {
  const { ask } = await openDoor();
  const headers = Object.fromEntries((await ask('/', null)).headers);
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(headers['content-security-policy']).not.toMatch(/unsafe|\*/);
  expect((await ask('/api/session', null)).headers.get('cache-control')).toBe('no-store');
});

function exampleStream(id: string) {
  return {
    id,
    label: null,
    participantId: null,
    channel: 0,
    rule: 'test',
    codecs: [],
    ssrcs: [],
    sources: [],
    rendered: false,
    packets: 0,
    octets: 0,
    lost: 0,
    duplicate: 0,
    late: 0,
    reordered: 0,
    undecodable: 0,
    jitterMs: 0,
    driftPpm: null,
    rtcpPackets: 0,
    firstPacket: null,
    lastPacket: null,
    drops: {},
  };
}
