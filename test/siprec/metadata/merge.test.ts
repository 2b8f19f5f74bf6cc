import { describe, expect, test } from 'vitest';
import { mergeMetadata } from '../../../src/siprec/metadata/merge.ts';
import { readMetadata } from '../../../src/siprec/metadata/read.ts';
import { METADATA } from '../bodies.ts';

const read = (text: string) => readMetadata(text).metadata;
const partial = (inside: string) => read(`<recording><datamode>partial</datamode>${inside}</recording>`);

describe('metadata updates', () => {
  test('the first document counts, partial or not', () => {
    const update = partial('<participant participant_id="p1"/>');
    expect(mergeMetadata(null, update)).toBe(update);
  });

  test('a complete document replaces everything', () => {
    const update = read('<recording><participant participant_id="p9"/></recording>');
    expect(mergeMetadata(read(METADATA), update)).toBe(update);
  });

  test('RFC 8068 §3.2: a participant joins with a stream of its own', () => {
    const known = read(METADATA);
    const update = partial(
      '<participant participant_id="p3"><nameID aor="sip:carol@example.com"/></participant>' +
        '<stream stream_id="m3" session_id="s1"><label>2</label></stream>' +
        '<participantstreamassoc participant_id="p3"><send>m3</send></participantstreamassoc>' +
        '<participantstreamassoc participant_id="p1"><recv>m3</recv></participantstreamassoc>',
    );
    expect(mergeMetadata(known, update)).toEqual({
      ...known,
      participants: [...known.participants, ...update.participants],
      streams: [...known.streams, ...update.streams],
      participantStreamAssociations: [
        { ...known.participantStreamAssociations[0], recv: ['m3'] },
        known.participantStreamAssociations[1],
        update.participantStreamAssociations[0],
      ],
    });
  });

  test('a participant leaves: the association gets its end and keeps its beginning', () => {
    const known = read(
      '<recording><participant participant_id="p1"/><participantsessionassoc participant_id="p1" session_id="s1">' +
        '<associate-time>2026-01-01T00:00:00Z</associate-time></participantsessionassoc></recording>',
    );
    const update = partial(
      '<participantsessionassoc participant_id="p1" session_id="s1">' +
        '<disassociate-time>2026-01-01T00:01:00Z</disassociate-time></participantsessionassoc>',
    );
    expect(mergeMetadata(known, update).participantSessionAssociations).toEqual([
      {
        participantId: 'p1',
        sessionId: 's1',
        associateTime: Date.UTC(2026, 0, 1),
        disassociateTime: Date.UTC(2026, 0, 1, 0, 1),
        parameters: [],
        extensions: [],
      },
    ]);
  });

  test('several associations of one participant stay several', () => {
    const twice =
      '<participantstreamassoc participant_id="p1"><send>a</send></participantstreamassoc>' +
      '<participantstreamassoc participant_id="p1"><send>b</send></participantstreamassoc>';
    const merged = mergeMetadata(read(`<recording>${twice}</recording>`), partial('<stream stream_id="c"/>'));
    expect(merged.participantStreamAssociations.map((association) => association.send)).toEqual([['a'], ['b']]);
  });
});
