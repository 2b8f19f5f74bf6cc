import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyMetadata } from '../../../src/siprec/metadata/model.ts';
import { readMetadata } from '../../../src/siprec/metadata/read.ts';
import { cpuTime } from '../../support/cpu-time.ts';
import { METADATA } from '../bodies.ts';

const none = { associateTime: null, disassociateTime: null, extensions: [] };
const party = (participantId: string, aor: string | null, ...names: string[]) => ({
  participantId,
  nameIds: [{ aor, names: names.map((text) => ({ language: null, text })) }],
  extensions: [],
});

describe('RFC 7865 documents', () => {
  test('RFC 7865 §8.1 example: group, session, participants, streams and all associations', () => {
    const text = `<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns='urn:ietf:params:xml:ns:recording:1'>
  <datamode>complete</datamode>
  <group group_id="7+OTCyoxTmqmqyA/1weDAg==">
    <associate-time>2010-12-16T23:41:07Z</associate-time>
    <call-center xmlns='urn:ietf:params:xml:ns:callcenter'>
      <supervisor>sip:alice@atlanta.com</supervisor>
    </call-center>
  </group>
  <session session_id="hVpd7YQgRW2nD22h7q60JQ==">
    <sipSessionID>ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2</sipSessionID>
    <group-ref>7+OTCyoxTmqmqyA/1weDAg==</group-ref>
    <reason protocol="Q.850">cause=16</reason>
    <start-time>2010-12-16T23:41:07Z</start-time>
    <stop-time>2010-12-17T00:41:07+01:00</stop-time>
    <mydata xmlns='http://example.com/my'>FOO!</mydata>
  </session>
  <participant participant_id="srfBElmCRp2QB23b7Mpk0w==">
    <nameID aor="sip:bob@biloxi.com"><name xml:lang="it">Bob B</name><name>Roberto</name></nameID>
    <nameID aor="tel:+15551234"/>
  </participant>
  <stream stream_id="i1Pz3to5hGk8fuXl+PbwCw==" session_id="hVpd7YQgRW2nD22h7q60JQ=="><label>96</label></stream>
  <sessionrecordingassoc session_id="hVpd7YQgRW2nD22h7q60JQ==">
    <associate-time>2010-12-16T23:41:07Z</associate-time>
    <disassociate-time>2010-12-16T23:43:07.5Z</disassociate-time>
  </sessionrecordingassoc>
  <participantsessionassoc participant_id="srfBElmCRp2QB23b7Mpk0w==" session_id="hVpd7YQgRW2nD22h7q60JQ==">
    <associate-time>2010-12-16T23:41:07Z</associate-time>
    <param pname="+sip.automata" pval="false"/>
  </participantsessionassoc>
  <participantstreamassoc participant_id="srfBElmCRp2QB23b7Mpk0w==">
    <send>i1Pz3to5hGk8fuXl+PbwCw==</send>
    <recv>8zc6e0lYTlWIINA6GR+3ag==</recv>
    <associate-time>2010-12-16T23:41:07Z</associate-time>
  </participantstreamassoc>
</recording>`;
    const start = Date.UTC(2010, 11, 16, 23, 41, 7);
    const extension = { attributes: {}, children: [] };
    expect(readMetadata(text)).toEqual({
      warnings: [],
      metadata: {
        dataMode: 'complete',
        groups: [
          {
            groupId: '7+OTCyoxTmqmqyA/1weDAg==',
            associateTime: start,
            disassociateTime: null,
            extensions: [
              {
                ...extension,
                name: 'call-center',
                namespace: 'urn:ietf:params:xml:ns:callcenter',
                text: '',
                children: [
                  {
                    ...extension,
                    name: 'supervisor',
                    namespace: 'urn:ietf:params:xml:ns:callcenter',
                    text: 'sip:alice@atlanta.com',
                  },
                ],
              },
            ],
          },
        ],
        sessions: [
          {
            sessionId: 'hVpd7YQgRW2nD22h7q60JQ==',
            sipSessionIds: ['ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2'],
            groupRefs: ['7+OTCyoxTmqmqyA/1weDAg=='],
            reasons: [{ protocol: 'Q.850', text: 'cause=16' }],
            startTime: start,
            stopTime: start,
            extensions: [{ ...extension, name: 'mydata', namespace: 'http://example.com/my', text: 'FOO!' }],
          },
        ],
        participants: [
          {
            participantId: 'srfBElmCRp2QB23b7Mpk0w==',
            nameIds: [
              {
                aor: 'sip:bob@biloxi.com',
                names: [
                  { language: 'it', text: 'Bob B' },
                  { language: null, text: 'Roberto' },
                ],
              },
              { aor: 'tel:+15551234', names: [] },
            ],
            extensions: [],
          },
        ],
        streams: [
          {
            streamId: 'i1Pz3to5hGk8fuXl+PbwCw==',
            sessionId: 'hVpd7YQgRW2nD22h7q60JQ==',
            label: '96',
            extensions: [],
          },
        ],
        sessionRecordingAssociations: [
          {
            sessionId: 'hVpd7YQgRW2nD22h7q60JQ==',
            associateTime: start,
            disassociateTime: start + 120_500,
            extensions: [],
          },
        ],
        participantSessionAssociations: [
          {
            participantId: 'srfBElmCRp2QB23b7Mpk0w==',
            sessionId: 'hVpd7YQgRW2nD22h7q60JQ==',
            associateTime: start,
            disassociateTime: null,
            parameters: [{ name: '+sip.automata', value: 'false' }],
            extensions: [],
          },
        ],
        participantStreamAssociations: [
          {
            participantId: 'srfBElmCRp2QB23b7Mpk0w==',
            send: ['i1Pz3to5hGk8fuXl+PbwCw=='],
            recv: ['8zc6e0lYTlWIINA6GR+3ag=='],
            associateTime: start,
            disassociateTime: null,
            extensions: [],
          },
        ],
        extensions: [],
      },
    });
  });

  test('prefixes, another namespace, other spellings and child elements instead of attributes change nothing', () => {
    const prefixed = METADATA.replace("xmlns='urn:ietf:params:xml:ns:recording:1'", 'xmlns:r="urn:x"')
      .replace(/<(\/?)(?=\w)/g, '<$1r:')
      .replace('<r:participant participant_id="p1">', '<r:participant><r:participant_id>p1</r:participant_id>')
      .replace('<r:nameID aor="sip:bob@example.com">', '<r:nameID><r:aor>sip:bob@example.com</r:aor>')
      .replace('stream_id="m1" session_id', 'streamId="m1" SessionID')
      .replaceAll('participantstreamassoc', 'participantStreamAssoc');
    expect(readMetadata(prefixed)).toEqual(readMetadata(METADATA));
    expect(readMetadata(METADATA).metadata.participantStreamAssociations).toEqual([
      { ...none, participantId: 'p1', send: ['m1'], recv: ['m2'] },
      { ...none, participantId: 'p2', send: ['m2'], recv: ['m1'] },
    ]);
  });

  test('partial', () => {
    expect(readMetadata('<recording><dataMode> Partial </dataMode></recording>').metadata.dataMode).toBe('partial');
  });

  test('label 0 and empty elements', () => {
    const text = '<recording><stream stream_id="x"><label>0</label></stream><group group_id="g"></group></recording>';
    expect(readMetadata(text).metadata).toEqual({
      ...emptyMetadata(),
      streams: [{ streamId: 'x', sessionId: null, label: '0', extensions: [] }],
      groups: [{ groupId: 'g', ...none }],
    });
  });

  test('CDATA, character references, predefined entities, comments', () => {
    const text =
      '<recording><participant participant_id="1"><nameID aor="sip:a&amp;b@c"><name><!-- who -->' +
      '<![CDATA[A & <B>&amp;]]> &lt;C&gt; &#74;&#xfc;&apos;</name></nameID></participant></recording>';
    expect(readMetadata(text)).toEqual({
      warnings: [],
      metadata: { ...emptyMetadata(), participants: [party('1', 'sip:a&b@c', "A & <B>&amp; <C> Jü'")] },
    });
  });
});

describe('documents of the drafts', () => {
  test('Oracle: id attributes, associations inside the participant, extensiondata, times without zone', () => {
    const text = `<?xml version='1.0' encoding='UTF-8'?>
<recording xmlns='urn:ietf:params:xml:ns:recording'>
<datamode>complete</datamode>
<session id="S1">
<associate-time>2015-04-28T10:40:29</associate-time>
<extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata">
<apkt:ucid>00FA08000100015A2E3B;encoding=hex</apkt:ucid>
<apkt:callerOrig>true</apkt:callerOrig>
</extensiondata>
</session>
<participant id="P1" session="S1">
<nameID aor="sip:5550001@example.com"><name>5550001</name></nameID>
<send>M1</send>
<associate-time>2015-04-28T10:40:29</associate-time>
<extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata">
<apkt:callingParty>true</apkt:callingParty>
</extensiondata>
</participant>
<stream id="M1" session="S1">
<label>553654187</label>
<mode>separate</mode>
<associate-time>2015-04-28T10:40:29</associate-time>
</stream>
</recording>`;
    const associateTime = Date.UTC(2015, 3, 28, 10, 40, 29);
    const times = { associateTime, disassociateTime: null, extensions: [] };
    const extension = (name: string, value: string) => ({
      name,
      namespace: 'http://acmepacket.com/siprec/extensiondata',
      attributes: {},
      text: value,
      children: [],
    });
    expect(readMetadata(text)).toEqual({
      warnings: [{ code: 'time-without-zone', message: 'Metadata times carry no time zone and were taken as UTC.' }],
      metadata: {
        ...emptyMetadata(),
        sessions: [
          {
            sessionId: 'S1',
            sipSessionIds: [],
            groupRefs: [],
            reasons: [],
            startTime: null,
            stopTime: null,
            extensions: [extension('ucid', '00FA08000100015A2E3B;encoding=hex'), extension('callerOrig', 'true')],
          },
        ],
        participants: [
          { ...party('P1', 'sip:5550001@example.com', '5550001'), extensions: [extension('callingParty', 'true')] },
        ],
        streams: [{ streamId: 'M1', sessionId: 'S1', label: '553654187', extensions: [] }],
        sessionRecordingAssociations: [{ sessionId: 'S1', ...times }],
        participantSessionAssociations: [{ participantId: 'P1', sessionId: 'S1', parameters: [], ...times }],
        participantStreamAssociations: [{ participantId: 'P1', send: ['M1'], recv: [], ...times }],
      },
    });
  });

  test('recording_metadata with a recording-session around participants', () => {
    const text = `<recording_metadata><recording-session id="rs1">
      <participant id="p1"><aor>sip:a@b</aor><name>A</name><send id="m1"/></participant>
      <participant id="p2" aor="sip:c@d" name="C"/>
      <stream id="m1"><label>10</label></stream>
    </recording-session></recording_metadata>`;
    expect(readMetadata(text)).toEqual({
      warnings: [],
      metadata: {
        ...emptyMetadata(),
        sessions: [
          {
            sessionId: 'rs1',
            sipSessionIds: [],
            groupRefs: [],
            reasons: [],
            startTime: null,
            stopTime: null,
            extensions: [],
          },
        ],
        participants: [party('p1', 'sip:a@b', 'A'), party('p2', 'sip:c@d', 'C')],
        streams: [{ streamId: 'm1', sessionId: 'rs1', label: '10', extensions: [] }],
        participantSessionAssociations: ['p1', 'p2'].map((participantId) => ({
          participantId,
          sessionId: 'rs1',
          parameters: [],
          ...none,
        })),
        participantStreamAssociations: [{ participantId: 'p1', send: ['m1'], recv: [], ...none }],
      },
    });
  });

  test('participants inside the session', () => {
    const text = `<recording><session session_id="s"><participant participant_id="p1"><name>Caller</name><send>1</send></participant>
      <participant participant_id="p2"><name>Callee</name><send>2</send></participant></session></recording>`;
    const { metadata } = readMetadata(text);
    expect(metadata.participants).toEqual([party('p1', null, 'Caller'), party('p2', null, 'Callee')]);
    expect(metadata.participantStreamAssociations.map(({ participantId, send }) => [participantId, ...send])).toEqual([
      ['p1', '1'],
      ['p2', '2'],
    ]);
  });

  test('participants without id get one by their order', () => {
    const text = '<recording><participant><nameID>sip:a@b</nameID></participant><participant/></recording>';
    expect(readMetadata(text).metadata.participants).toEqual([
      party('participant-1', 'sip:a@b'),
      { participantId: 'participant-2', nameIds: [], extensions: [] },
    ]);
  });
});

describe('malformed documents still say who takes part', () => {
  const malformed = {
    code: 'metadata-malformed',
    message: 'The metadata is not well-formed XML and was repaired as well as possible.',
  };

  test('unescaped & and < in names and addresses, as OpenSIPS sends them', () => {
    const text = METADATA.replace('<name>Alice</name>', '<name>Smith & <Sons></name>')
      .replace('sip:bob@example.com', 'sip:b&o<b@example.com')
      .replace('<name>Bob</name>', '<name>a < b && c > d &noentity; &amp;</name>');
    const { metadata, warnings } = readMetadata(text);
    expect(warnings).toEqual([malformed]);
    expect(metadata).toEqual({
      ...readMetadata(METADATA).metadata,
      participants: [
        party('p1', 'sip:alice@example.com', 'Smith & <Sons>'),
        party('p2', 'sip:b&o<b@example.com', 'a < b && c > d &noentity; &'),
      ],
    });
  });

  test.each([
    ['an address in angle brackets', 'Bob <bob@example.com>', 'Bob <bob@example.com>'],
    ['an end tag', 'Bob </b>', 'Bob </b>'],
    ['two open tags', '<A> and <B>', '<A> and <B>'],
    ['a heart', 'I <3 SIP', 'I <3 SIP'],
    ['a tag with attributes', 'x <a href="y">', 'x <a href="y">'],
  ])('%s in a name', (_name, written, seen) => {
    const { metadata } = readMetadata(METADATA.replace('<name>Bob</name>', `<name>${written}</name>`));
    expect(metadata.participants[1]).toEqual(party('p2', 'sip:bob@example.com', seen));
    expect(metadata.participantStreamAssociations).toHaveLength(2);
  });

  test('attributes with quotes inside, or without quotes', () => {
    const text = METADATA.replace('"sip:alice@example.com"', '"sip:"alice"@example.com"').replace(
      'participant_id="p2"><nameID',
      'participant_id=p2><nameID',
    );
    const { metadata } = readMetadata(text);
    expect(metadata.participants).toEqual([
      party('p1', 'sip:"alice"@example.com', 'Alice'),
      party('p2', 'sip:bob@example.com', 'Bob'),
    ]);
  });

  test('elements that are never closed', () => {
    const text = METADATA.replace('</name></nameID></participant>', '</participant>').replace('</label></stream>', '');
    const { metadata } = readMetadata(text);
    expect(metadata.participants[0]).toEqual(party('p1', 'sip:alice@example.com', 'Alice'));
    expect(metadata.participants[1]).toEqual(party('p2', 'sip:bob@example.com', 'Bob'));
  });

  test('cut off in the middle', () => {
    const text = METADATA.slice(0, METADATA.indexOf('<stream'));
    const { metadata, warnings } = readMetadata(text);
    expect(warnings).toEqual([malformed]);
    expect(metadata.participants).toEqual(readMetadata(METADATA).metadata.participants);
  });

  test('nothing that could be read', () => {
    for (const text of ['', 'no XML at all', '<html><body>Hello</body></html>']) {
      const { metadata, warnings } = readMetadata(text);
      expect({ ...metadata, extensions: [] }).toEqual(emptyMetadata());
      expect(warnings.map((warning) => warning.code)).toContain('metadata-empty');
    }
  });
});

describe('hostile documents', () => {
  const quick = (text: string) => {
    const { result, cpuMs } = cpuTime(() => readMetadata(text));
    expect(cpuMs).toBeLessThan(3000);
    return result;
  };

  test('a billion laughs stay unexpanded', () => {
    const entities = Array.from({ length: 10 }, (_, i) => `<!ENTITY lol${i + 1} "${`&lol${i};`.repeat(10)}">`).join('');
    const text =
      `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol0 "lol">${entities}]>` +
      '<recording><participant participant_id="1"><nameID aor="sip:a@b"><name>&lol10;</name></nameID></participant></recording>';
    expect(quick(text)).toEqual({
      warnings: [
        { code: 'metadata-doctype', message: 'The metadata has a DOCTYPE; it and its entities were ignored.' },
      ],
      metadata: { ...emptyMetadata(), participants: [party('1', 'sip:a@b', '&lol10;')] },
    });
  });

  test('external entities are not looked at', () => {
    const text =
      '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><recording><participant participant_id="&x;"><name>&x;</name></participant></recording>';
    expect(quick(text).metadata.participants).toEqual([party('&x;', null, '&x;')]);
  });

  test('names of Object.prototype are names', () => {
    const text =
      '<recording><__proto__><constructor polluted="1"/></__proto__><participant participant_id="__proto__" __proto__="x"/></recording>';
    expect(quick(text).metadata.participants.map((participant) => participant.participantId)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).polluted).toBe(undefined);
  });

  test.each([
    ['100,000 open elements', '<a>'.repeat(100_000)],
    ['nesting of known elements', `<recording>${'<session session_id="1">'.repeat(20_000)}`],
    ['open angle brackets', '<'.repeat(500_000)],
    ['ampersands', `<recording><name>${'&'.repeat(500_000)}`],
    ['one long attribute', `<recording a="${'x'.repeat(900_000)}`],
    ['many attributes', `<recording ${'a="1" '.repeat(150_000)}>`],
    ['unfinished comments', `<recording>${'<!-- '.repeat(100_000)}`],
    ['unfinished CDATA', `<recording>${'<![CDATA['.repeat(100_000)}`],
    ['processing instructions', `<recording>${'<?x '.repeat(100_000)}`],
    ['stray end tags', `<recording>${'</x>'.repeat(200_000)}`],
    ['many doctypes', '<!DOCTYPE a ['.repeat(50_000)],
    ['spaces in a tag', `<recording${' '.repeat(900_000)}`],
    ['known tags with loose attributes', '<participant a=b '.repeat(50_000)],
  ])('%s', (_name, text) => {
    quick(text);
  });

  test('a broken document is read as far as it may cost, and says so', () => {
    const broken = `${METADATA.replace('</recording>', '')}<unfinished ${'a=b '.repeat(100_000)}`;
    const { metadata, warnings } = quick(broken);
    expect(metadata.participants).toHaveLength(2);
    expect(warnings.map((warning) => warning.code)).toEqual(['metadata-malformed', 'metadata-cut']);
  });

  test('more participants than anybody has', () => {
    const { metadata, warnings } = quick(`<recording>${'<participant/>'.repeat(20_000)}</recording>`);
    expect(metadata.participants).toHaveLength(2000);
    expect(warnings.map((warning) => warning.code)).toEqual(['metadata-too-many-objects']);
  });

  test('200 KiB of extension data is kept', () => {
    const filler = 'x'.repeat(200 * 1024);
    const { metadata, warnings } = quick(
      METADATA.replace('</session>', `<v:blob xmlns:v="urn:v">${filler}</v:blob></session>`),
    );
    expect(warnings).toEqual([]);
    expect(metadata.sessions[0]?.extensions[0]?.text).toBe(filler);
    expect(metadata.participants).toHaveLength(2);
  });
});

describe('fuzz', () => {
  test('any text', () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '&',
      '"',
      '/',
      ' ',
      'participant',
      'nameID',
      'aor=',
      '<!',
      '[',
      ']',
      '-',
      'é',
      '\n',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (source) => {
        expect(readMetadata(source).warnings.length).toBeLessThan(100);
      }),
      { numRuns: 1000 },
    );
  });

  test('damage in a name costs at most that name', () => {
    const noise = fc
      .stringMatching(/^[ -~]{0,40}$/)
      .filter((text) => !/<\/?(name|participant|recording|nameid)/i.test(text));
    fc.assert(
      fc.property(noise, (name) => {
        const { metadata } = readMetadata(METADATA.replace('<name>Alice</name>', () => `<name>${name}</name>`));
        // An unfinished comment or CDATA section may swallow what follows; nothing else may.
        if (!/<!|<\?/.test(name)) expect(metadata.participants.map((each) => each.participantId)).toEqual(['p1', 'p2']);
      }),
      { numRuns: 500 },
    );
  });
});
