// A key that stands in a message is never overlooked, in whatever form the message writes it.
import { describe, expect, test } from 'vitest';
import type { CallIdentifiers } from '../../src/recording/call.ts';
import { correlationKeys } from '../../src/siprec/correlation.ts';
import { RunningKeys } from '../../src/siprec/running-keys.ts';
import type { SharedRecording } from '../../src/siprec/shared-recording.ts';

const recording = {} as SharedRecording;
const A = 'ab30317f1a784dc48ff824d0d3715d86';
const B = '47755a9de7794ba387653f2099600ef2';

function keysOf(known: Partial<CallIdentifiers>): RunningKeys {
  const keys = new RunningKeys();
  const nobody = { sipCallId: 'x', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} };
  for (const { key } of correlationKeys({ ...nobody, ...known })) keys.set(key, recording);
  return keys;
}

describe('a message that names a running call', () => {
  test.each<[string, Partial<CallIdentifiers>, string]>([
    [
      'base64',
      { communicationSessionId: 'eL+Hgm4qQb+9z6KCxlpW/w==' },
      '<session session_id="eL+Hgm4qQb+9z6KCxlpW/w==">',
    ],
    ['escaped', { communicationSessionId: 'eL+Hgm4qQb+9z6KCxlpW/w==' }, "id='eL&#43;Hgm4qQb&#43;9z6KCxlpW/w=='"],
    ['an RFC 7989 pair', { sipSessionIds: [`${A};remote=${B}`] }, `<sipSessionID>${A};remote=${B}</sipSessionID>`],
    [
      'the pair the other way round, in capitals, over two lines',
      { sipSessionIds: [`${A};remote=${B}`] },
      `${B.toUpperCase()};\r\n  remote=${A.toUpperCase()}`,
    ],
    ['half a pair', { sipSessionIds: [A] }, `<sipSessionID>${A};remote=${'0'.repeat(32)}</sipSessionID>`],
    ['a Call-ID', { sipSessionIds: ['1-19290@127.0.40.3'] }, '<sipSessionID>1-19290@127.0.40.3</sipSessionID>'],
    [
      'a vendor’s id in a header',
      { vendor: { ucid: '00FA080019001038F72EA1' } },
      'User-to-User: x\r\nX-UCID: 00FA080019001038F72EA1\r\n',
    ],
    ['an id without a word', { communicationSessionId: 'a,b,c,d,e,f' }, 'session_id="a,b,c,d,e,f"'],
  ])('%s', (_name, known, text) => {
    expect(keysOf(known).mayBeIn(`INVITE sip:x SIP/2.0\r\n\r\n${text}\r\n`)).toBe(true);
  });
});

test('a new call names none', () => {
  const keys = keysOf({ communicationSessionId: 'eL+Hgm4qQb+9z6KCxlpW/w==', sipSessionIds: ['1-19290@127.0.40.3'] });
  expect(keys.mayBeIn('<session session_id="QJnqxq0JRsaWHlZUZ7ASqw=="><sipSessionID>1-19291@127.0.40.3')).toBe(false);
});

test('what has ended is named no more; two keys may look alike', () => {
  const keys = new RunningKeys();
  keys.set('session-id aaaa1111', recording);
  keys.set('vendor-id:ucid aaaa1111', recording);
  keys.delete('session-id aaaa1111');
  keys.delete('session-id aaaa1111');
  expect(keys.mayBeIn('aaaa1111')).toBe(true);
  keys.delete('vendor-id:ucid aaaa1111');
  expect(keys.mayBeIn('aaaa1111')).toBe(false);
});
