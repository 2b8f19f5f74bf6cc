import { describe, expect, test } from 'vitest';
import type { OrekaInvite } from '../../src/oreka/datagram.ts';
import { CallTexts } from '../../src/oreka/description.ts';
import { bye, CALL_ID, captured, invite, message } from './texts.ts';

const SENDS = { rx: ['rx'], tx: ['tx'] };

function describeTexts(first: Buffer, ...others: Buffer[]) {
  const texts = new CallTexts(message(first) as OrekaInvite);
  for (const other of others) texts.add(message(other));
  return texts.describe(SENDS, null);
}

const named = (first: Buffer, ...others: Buffer[]) =>
  describeTexts(first, ...others).participants.map(({ participantId, aor, name }) => [participantId, aor, name]);

describe('captured calls', () => {
  test('normal: the phone that answered has another name than the number that was dialled', () => {
    const names = ['001-INVITE-RX', '002-INVITE-TX', '003-BYE-RX', '004-BYE-TX'];
    const [first, ...others] = names.map((name) => captured(`normal/sip-${name}`));
    expect(describeTexts(first!, ...others)).toEqual({
      participants: [
        { participantId: 'caller', aor: 'sip:2001@127.0.0.40', name: 'Alice', sends: ['rx'], role: 'caller' },
        { participantId: 'callee', aor: 'sip:1002@127.0.0.40', name: null, sends: ['tx'], role: 'callee' },
        { participantId: 'last-connected', aor: 'sip:tone880@127.0.0.40', name: null, sends: [], role: null },
      ],
      identifiers: {
        sipCallId: CALL_ID,
        communicationSessionId: null,
        sipSessionIds: [],
        groupId: null,
        vendor: {
          'freeswitch-address': '127.0.0.40',
          'freeswitch-pid': '17277',
          'last-connected-number': 'tone880',
        },
      },
      statedStartMs: null,
      extraHeaders: [],
    });
  });

  test('xheaders: the sets of INVITE and BYE, each once', () => {
    const names = ['001-INVITE-RX', '002-INVITE-TX', '003-BYE-RX', '004-BYE-TX'];
    const [first, ...others] = names.map((name) => captured(`xheaders/sip-${name}`));
    expect(describeTexts(first!, ...others).extraHeaders).toEqual([
      { name: 'X-Agent-Id', value: '4711' },
      { name: 'X-Customer', value: 'Müller & Co; vip=yes' },
      { name: 'X-Mixed-Case', value: 'prefix matched without case' },
      { name: 'X-Disposition', value: 'sale closed' },
    ]);
  });

  test('foreign-phone: Outbound Call is nobody', () => {
    const first = captured('foreign-phone/sip-001-INVITE-RX');
    const last = captured('foreign-phone/sip-003-BYE-RX');
    expect(named(first, last)).toEqual([
      ['caller', 'sip:2001@127.0.0.40', 'Alice'],
      ['callee', 'sip:1018@127.0.0.40', null],
      ['last-connected', 'sip:bob@127.0.0.40', null],
    ]);
  });

  test('cid-space', () => {
    expect(named(captured('cid-space/sip-001-INVITE-RX'))[0]).toEqual([
      'caller',
      'sip:2001@127.0.0.40',
      'Alice de la Cruz',
    ]);
  });
});

describe('names and numbers', () => {
  const callee = (to: string, requestUri?: string) =>
    named(invite({ to, ...(requestUri === undefined ? {} : { requestUri }) }))[1]?.slice(1);

  test.each([
    ['*31#0171 23@x', undefined, ['sip:*31#0171 23@x@127.0.0.40', null]],
    ['1002', 'sip:Sales <DE> "A;B"@127.0.0.40:5060', ['sip:1002@127.0.0.40', 'Sales <DE> "A;B"']],
    ['1002', 'sip:Zoë\tMüller@127.0.0.40:5060', ['sip:1002@127.0.0.40', 'Zoë Müller']],
    ['', 'sip:Front Desk@127.0.0.40:5060', [null, 'Front Desk']],
    ['', 'sip:@127.0.0.40:5060', [null, null]],
    ['1002', 'no uri', ['sip:1002@127.0.0.40', null]],
  ])('callee %j, %j', (to, requestUri, expected) => {
    expect(callee(to, requestUri)).toEqual(expected);
  });

  test('no caller name, no caller number', () => {
    expect(named(invite({ from: '', callerName: '' }))[0]).toEqual(['caller', null, null]);
  });

  test('the number in place of the name is no name', () => {
    expect(named(invite({ callerName: '2001' }))[0]).toEqual(['caller', 'sip:2001@127.0.0.40', null]);
  });

  test('the tag outside of the brackets, as RFC 3261 has it', () => {
    const text = invite().toString().replace(';tag=1>', '>;tag=1');
    expect(named(Buffer.from(text))[0]).toEqual(['caller', 'sip:2001@127.0.0.40', 'Alice']);
  });

  test('FreeSWITCH by name: its address is taken from From', () => {
    const text = invite({ sourceHost: 'pbx.example' });
    expect(describeTexts(text).identifiers.vendor).toEqual({
      'freeswitch-address': 'pbx.example',
      'freeswitch-pid': '17277',
    });
  });

  test('an IPv6 address stands in brackets', () => {
    expect(named(invite({ sourceHost: '2001:db8::5' }))[0]?.[1]).toBe('sip:2001@[2001:db8::5]');
  });
});

describe('the last connected party', () => {
  const front = { to: '1002', requestUri: 'sip:Front Desk@127.0.0.40:5060' };

  test('the same number adds nobody, but may bring a name', () => {
    const { participants, identifiers } = describeTexts(invite(), bye(front));
    expect(participants.map(({ participantId, name }) => [participantId, name])).toEqual([
      ['caller', 'Alice'],
      ['callee', 'Front Desk'],
    ]);
    expect(identifiers.vendor).toMatchObject({ 'last-connected-number': '1002', 'last-connected-name': 'Front Desk' });
  });

  test('another number adds a party without a role and without a stream', () => {
    const transferred = bye({ to: '1003', requestUri: 'sip:Sales@127.0.0.40:5060' });
    expect(describeTexts(invite(front), transferred).participants.slice(1)).toEqual([
      { participantId: 'callee', aor: 'sip:1002@127.0.0.40', name: 'Front Desk', sends: ['tx'], role: 'callee' },
      { participantId: 'last-connected', aor: 'sip:1003@127.0.0.40', name: 'Sales', sends: [], role: null },
    ]);
  });

  test('a BYE that names nobody changes nothing', () => {
    expect(named(invite(front), bye({ to: '', requestUri: 'sip:Outbound Call@127.0.0.40:5060' }))).toHaveLength(2);
  });
});

describe('custom headers', () => {
  test('a repeated header of the module is a custom one', () => {
    const headers = ['Subject: second', 'Account: 7', 'X-A: 1', 'X-A: 2'];
    expect(describeTexts(invite({ headers })).extraHeaders).toEqual([
      { name: 'Subject', value: 'second' },
      { name: 'Account', value: '7' },
      { name: 'X-A', value: '1' },
      { name: 'X-A', value: '2' },
    ]);
  });

  test('are bounded in number and length', () => {
    const many = Array.from({ length: 200 }, (_, index) => `X-${index}: ${'v'.repeat(index === 0 ? 20_000 : 1)}`);
    const { extraHeaders } = describeTexts(invite({ headers: many }));
    expect([extraHeaders.length, extraHeaders[0]?.value.length]).toEqual([100, 8_192]);
  });
});

test('the streams of a side that was announced twice, and the recording before', () => {
  const texts = new CallTexts(message(invite()) as OrekaInvite);
  const { participants, identifiers } = texts.describe({ rx: ['rx', 'rx#2'], tx: [] }, 'earlier');
  expect(participants.map((party) => party.sends)).toEqual([['rx', 'rx#2'], []]);
  expect(identifiers.continues).toBe('earlier');
});
