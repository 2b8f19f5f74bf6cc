// Offers and the answers expected to them, as text: one file per dialog, offers and answers in turn.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { answerOffer } from '../../src/siprec/answer.ts';
import { MediaKeys } from '../../src/siprec/media-keys.ts';
import { readOffer } from '../../src/siprec/sdp.ts';
import { SessionMedia } from '../../src/siprec/session-media.ts';

const directory = new URL('./answers/', import.meta.url);

/** First a line with our media address, then sections between lines of dashes: offer, answer, offer, answer … */
function readDialog(name: string): { host: string; exchanges: { offer: string; answer: string }[] } {
  const [head = '', ...sections] = readFileSync(new URL(name, directory), 'utf8').split(/^-{5,}.*\n/m);
  const host = /^host: (\S+)/m.exec(head)?.[1] ?? '192.0.2.10';
  const exchanges = [];
  for (let i = 0; i < sections.length; i += 2)
    exchanges.push({ offer: sections[i] ?? '', answer: sections[i + 1] ?? '' });
  return { host, exchanges };
}

describe('offer and answer', () => {
  const names = readdirSync(directory).filter((name) => name.endsWith('.txt'));
  test.each(names)('%s', (name) => {
    const { host, exchanges } = readDialog(name);
    const media = new SessionMedia({ sessionId: '1000' }, undefined, new MediaKeys((octets) => new Uint8Array(octets)));
    expect(exchanges.length).toBeGreaterThan(0);
    for (const { offer, answer } of exchanges) {
      const { streams } = media.applyOffer(offer.replaceAll('\n', '\r\n'));
      const addresses = new Map(
        (streams ?? []).map(({ key }) => [
          key,
          { rtpPort: 40_000 + 2 * Number(key), rtcpPort: 40_001 + 2 * Number(key) },
        ]),
      );
      const text = media.answer(addresses, host, new Map());
      expect(text.replaceAll('\r\n', '\n')).toBe(answer);
      expect(text.split('\r\n').join('')).not.toMatch(/[\r\n]/);
    }
  });

  test('a stream without a port is refused alone', () => {
    const { mediaLines } = readOffer('m=audio 4000 RTP/AVP 0\r\na=label:a\r\nm=audio 4002 RTP/AVP 0\r\na=label:b\r\n');
    const { text } = answerOffer({
      mediaLines,
      addresses: new Map([[1, { rtpPort: 40_000, rtcpPort: 40_001 }]]),
      host: '192.0.2.10',
      sessionId: '1',
      previous: null,
    });
    expect(text.split('\r\n').filter((line) => /^[ma]=/.test(line))).toEqual([
      'm=audio 0 RTP/AVP 0',
      'a=label:a',
      'm=audio 40000 RTP/AVP 0',
      'a=recvonly',
      'a=label:b',
    ]);
  });

  test('the version counts answers that differ', () => {
    const { mediaLines } = readOffer('m=audio 4000 RTP/AVP 0\r\n');
    const request = { mediaLines, addresses: new Map(), host: '192.0.2.10', sessionId: '7' };
    const first = answerOffer({ ...request, previous: null });
    const same = answerOffer({ ...request, previous: first });
    const moved = answerOffer({ ...request, host: '192.0.2.11', previous: same });
    expect([first, same, moved].map(({ version, text }) => [version, text.split('\r\n')[1]])).toEqual([
      [1, 'o=sipreel 7 1 IN IP4 192.0.2.10'],
      [1, 'o=sipreel 7 1 IN IP4 192.0.2.10'],
      [2, 'o=sipreel 7 2 IN IP4 192.0.2.11'],
    ]);
  });
});
