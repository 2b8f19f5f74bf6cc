import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundaryOf, MAX_BODY_OCTETS, readRecordingBody } from '../../src/siprec/multipart.ts';
import { BOUNDARY, CONTENT_TYPE, METADATA, multipart, SDP } from './bodies.ts';

const sdpPart = `Content-Type: application/sdp\r\n\r\n${SDP}`;
const metadataPart = `Content-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n${METADATA}`;
const whole = {
  sdp: SDP,
  metadata: { contentType: 'application/rs-metadata+xml', text: METADATA },
  others: [],
  warnings: [],
};

describe('multipart bodies that clients send', () => {
  test('as OpenSIPS sends it', () => {
    expect(readRecordingBody(CONTENT_TYPE, multipart())).toEqual(whole);
  });

  test.each([
    ['unquoted, no space', 'multipart/mixed;boundary=b1'],
    ['quoted', 'multipart/mixed; boundary="b1"'],
    ['upper case', 'MULTIPART/MIXED; BOUNDARY=b1'],
    ['first of several parameters', 'multipart/mixed; boundary=b1; charset=UTF-8'],
    ['last of several parameters', 'multipart/mixed;type="application/sdp";charset=UTF-8; boundary="b1"'],
    ['spaces around the equals sign', 'multipart/mixed; boundary = b1'],
    ['trailing spaces in the parameter', 'multipart/mixed;boundary=b1  '],
    ['trailing spaces in the quotes', 'multipart/mixed;boundary="b1 "'],
    ['no semicolon', 'multipart/mixed boundary=b1'],
    ['another multipart type', 'multipart/related;boundary=b1'],
  ])('boundary parameter: %s', (_name, contentType) => {
    const body = `--b1\r\n${sdpPart}\r\n--b1\r\n${metadataPart}\r\n--b1--\r\n`;
    expect(readRecordingBody(contentType, body)).toEqual(whole);
  });

  test.each([
    ['closing delimiter without CRLF', `--b1\r\n${sdpPart}\r\n--b1\r\n${metadataPart}\r\n--b1--`],
    ['trailing spaces on delimiter lines', `--b1  \r\n${sdpPart}\r\n--b1\t\r\n${metadataPart}\r\n--b1-- \r\n`],
    ['double CRLF before the first delimiter', `\r\n\r\n--b1\r\n${sdpPart}\r\n--b1\r\n${metadataPart}\r\n--b1--\r\n`],
    ['preamble and epilogue', `hello\r\n--b1\r\n${sdpPart}\r\n--b1\r\n${metadataPart}\r\n--b1--\r\nbye\r\n--b1\r\n`],
    ['parts in the other order', `--b1\r\n${metadataPart}\r\n--b1\r\n${sdpPart}\r\n--b1--\r\n`],
    [
      'no space after the colon, any case, any order of headers',
      `--b1\r\nCONTENT-DISPOSITION:session;handling=required\r\ncontent-type:application/SDP\r\n\r\n${SDP}\r\n` +
        `--b1\r\nContent-Disposition: recording-session\r\nContent-type:application/rs-metadata+xml\r\n\r\n${METADATA}\r\n--b1--\r\n`,
    ],
    ['empty line before the part headers', `--b1\r\n\r\n${sdpPart}\r\n--b1\r\n\r\n${metadataPart}\r\n--b1--\r\n`],
    [
      'folded part header',
      `--b1\r\n${sdpPart}\r\n--b1\r\nContent-Disposition: recording-session;\r\n handling=required\r\n${metadataPart}\r\n--b1--\r\n`,
    ],
  ])('%s', (_name, body) => {
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual(whole);
  });

  test('closing delimiter missing', () => {
    const body = `--b1\r\n${sdpPart}\r\n--b1\r\n${metadataPart}`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual({
      ...whole,
      warnings: [{ code: 'closing-delimiter-missing', message: 'The multipart body has no closing delimiter.' }],
    });
  });

  test('bare LF everywhere', () => {
    const body = multipart().replaceAll('\r\n', '\n');
    expect(readRecordingBody(CONTENT_TYPE, body)).toEqual({
      ...whole,
      sdp: SDP.replaceAll('\r\n', '\n'),
      metadata: { ...whole.metadata, text: METADATA.replaceAll('\r\n', '\n') },
    });
  });

  test('Content-Length inside parts keeps a delimiter line and blank lines in the body', () => {
    const text = `${METADATA}\r\n\r\n--b1\r\n<!-- not a delimiter -->`;
    const part = `Content-Type: application/rs-metadata+xml\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    const body = `--b1\r\n${part}\r\n--b1\r\n${sdpPart}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual({
      ...whole,
      metadata: { ...whole.metadata, text },
    });
  });

  test('Content-Length counts octets, not characters', () => {
    const text = METADATA.replace('Alice', 'Jürgen Müller 日本');
    const part = `Content-Type: application/rs-metadata+xml\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    const body = `--b1\r\n${part}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual({
      ...whole,
      sdp: null,
      metadata: { ...whole.metadata, text },
    });
  });

  test.each(['0', '5', '99999', '-3', 'many', '999999999999'])('a lying Content-Length of %s is ignored', (length) => {
    const body = `--b1\r\nContent-Length: ${length}\r\n${sdpPart}\r\n--b1\r\n${metadataPart}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual({
      ...whole,
      warnings: [{ code: 'part-length-wrong', message: 'The Content-Length of a body part is wrong and was ignored.' }],
    });
  });

  test('legacy metadata type with parameters, and extra parts', () => {
    const body =
      `--b1\r\nContent-Type: application/gtd\r\n\r\nIAM,\r\nPRN,isdn*\r\n--b1\r\n${sdpPart}\r\n` +
      `--b1\r\nContent-Type: application/rs-metadata;charset=ISO-10646\r\n\r\n${METADATA}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual({
      ...whole,
      metadata: { contentType: 'application/rs-metadata;charset=ISO-10646', text: METADATA },
      others: [{ contentType: 'application/gtd', octets: 15 }],
    });
  });

  test('nested multipart', () => {
    const inner = `--in\r\n${sdpPart}\r\n--in\r\n${metadataPart}\r\n--in--\r\n`;
    const body = `--out\r\nContent-Type: multipart/alternative; boundary="in"\r\n\r\n${inner}\r\n--out--\r\n`;
    expect(readRecordingBody('multipart/mixed; boundary=out', body)).toEqual(whole);
  });

  test('a boundary that begins like another one', () => {
    const inner = `--b10\r\n${sdpPart}\r\n--b10\r\n${metadataPart}\r\n--b10--\r\n`;
    const body = `--b1\r\nContent-Type: multipart/mixed;boundary=b10\r\n\r\n${inner}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual(whole);
  });

  test('a boundary of characters that mean something elsewhere', () => {
    const boundary = '----=_Part_15296_823292916.1768489452115';
    const body = `--${boundary}\r\n${sdpPart}\r\n--${boundary}\r\n${metadataPart}\r\n--${boundary}--`;
    expect(readRecordingBody(`multipart/mixed; boundary="${boundary}"`, body)).toEqual(whole);
    expect(readRecordingBody(`multipart/mixed; boundary=${boundary}`, body)).toEqual(whole);
  });

  const mismatch = {
    code: 'boundary-mismatch',
    message: 'The boundary was not the declared one; the first delimiter line told it.',
  };

  test.each([
    ['another boundary than the declared one', 'multipart/mixed;boundary=other'],
    ['no boundary parameter', 'multipart/mixed'],
    ['no Content-Type at all', null],
  ])('%s', (_name, contentType) => {
    const body = `--b1\r\n${sdpPart}\r\n--b1\r\n${metadataPart}\r\n--b1--\r\n`;
    expect(readRecordingBody(contentType, body)).toEqual({ ...whole, warnings: [mismatch] });
  });
});

describe('bodies that are not multipart', () => {
  test('bare SDP', () => {
    expect(readRecordingBody('application/sdp', SDP)).toEqual({ ...whole, metadata: null });
  });

  test('bare metadata', () => {
    expect(readRecordingBody('application/rs-metadata+xml', METADATA)).toEqual({ ...whole, sdp: null });
  });

  const typeWarning = (said: string, what: string) => ({
    code: 'part-type-wrong',
    message: `A body part with ${said} was taken as ${what} by its content.`,
  });

  test.each([
    ['no Content-Type', null],
    ['the Content-Type text/plain', 'text/plain'],
    ['the Content-Type application/rs-metadata', 'application/rs-metadata'],
  ])('SDP with %s', (said, contentType) => {
    expect(readRecordingBody(contentType, SDP)).toEqual({
      ...whole,
      metadata: null,
      warnings: [typeWarning(said, 'SDP')],
    });
  });

  test.each([
    ['no Content-Type', null],
    ['the Content-Type application/xml', 'application/xml'],
    ['the Content-Type application/sdp', 'application/sdp'],
  ])('metadata with %s', (said, contentType) => {
    const { metadata, warnings } = readRecordingBody(contentType, METADATA);
    expect(metadata?.text).toBe(METADATA);
    expect(warnings).toEqual([typeWarning(said, 'metadata')]);
  });

  test('a multipart type on bare SDP', () => {
    expect(readRecordingBody('multipart/mixed;boundary=b1', SDP).sdp).toBe(SDP);
  });

  test('other XML is not metadata', () => {
    const pidf = '<?xml version="1.0"?><presence entity="sip:a@b"/>';
    expect(readRecordingBody('application/pidf+xml', pidf)).toEqual({
      sdp: null,
      metadata: null,
      others: [{ contentType: 'application/pidf+xml', octets: pidf.length }],
      warnings: [],
    });
  });

  test('empty body', () => {
    expect(readRecordingBody(null, '')).toEqual({ sdp: null, metadata: null, others: [], warnings: [] });
    expect(readRecordingBody(CONTENT_TYPE, '')).toEqual({ sdp: null, metadata: null, others: [], warnings: [] });
  });
});

describe('parts that lack something', () => {
  test('an empty SDP part is told from a missing one', () => {
    const body = `--b1\r\nContent-Type: application/sdp\r\n\r\n\r\n--b1\r\n${metadataPart}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual({ ...whole, sdp: '' });
    const shorter = `--b1\r\nContent-Type: application/sdp\r\n\r\n--b1\r\n${metadataPart}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', shorter)).toEqual({ ...whole, sdp: '' });
  });

  test('parts without headers are known by their first characters', () => {
    const body = `--b1\r\n\r\n${SDP}\r\n--b1\r\n\r\n${METADATA}\r\n--b1--\r\n`;
    const { sdp, metadata } = readRecordingBody('multipart/mixed;boundary=b1', body);
    expect([sdp, metadata?.text]).toEqual([SDP, METADATA]);
  });

  test('the empty line after the headers is missing', () => {
    const body = `--b1\r\nContent-Type: application/sdp\r\n${SDP}\r\n--b1\r\n${metadataPart}\r\n--b1--\r\n`;
    expect(readRecordingBody('multipart/mixed;boundary=b1', body)).toEqual({
      ...whole,
      warnings: [{ code: 'part-headers-open', message: 'The headers of a body part do not end with an empty line.' }],
    });
  });

  test('two SDP parts: the first that holds something counts', () => {
    const empty = 'Content-Type: application/sdp\r\n\r\n';
    const body = [empty, sdpPart, sdpPart].map((part) => `--b1\r\n${part}\r\n`).join('');
    expect(readRecordingBody('multipart/mixed;boundary=b1', `${body}--b1--`)).toEqual({
      sdp: SDP,
      metadata: null,
      others: [{ contentType: 'application/sdp', octets: SDP.length }],
      warnings: [{ code: 'part-repeated', message: 'The body has more than one SDP part; the first was used.' }],
    });
  });

  test('ISO 8859-1', () => {
    const text = METADATA.replace('Alice', 'Jürgen');
    const { metadata, warnings } = readRecordingBody('application/rs-metadata+xml', Buffer.from(text, 'latin1'));
    expect(metadata?.text).toBe(text);
    expect(warnings.map((warning) => warning.code)).toEqual(['not-utf8']);
  });
});

describe('limits', () => {
  test('more than 32 parts', () => {
    const extra = '--b1\r\nContent-Type: text/plain\r\n\r\nx\r\n'.repeat(40);
    const { others, warnings } = readRecordingBody('multipart/mixed;boundary=b1', `${extra}--b1--\r\n`);
    expect(others).toHaveLength(32);
    expect(warnings).toEqual([
      { code: 'too-many-parts', message: 'The body has more than 32 parts; the rest was left unread.' },
    ]);
  });

  test('a million delimiters cost neither time nor memory', () => {
    const { others } = readRecordingBody('multipart/mixed;boundary=b', '--b\n'.repeat(250_000));
    expect(others.length).toBeLessThanOrEqual(32);
  });

  test('a body above 1 MiB is read up to there', () => {
    const body = multipart(SDP, METADATA.replace('</recording>', `${' '.repeat(MAX_BODY_OCTETS)}</recording>`));
    const { sdp, metadata, warnings } = readRecordingBody(CONTENT_TYPE, body);
    expect(sdp).toBe(SDP);
    expect(metadata?.text.length).toBeLessThan(MAX_BODY_OCTETS);
    expect(warnings.map((warning) => warning.code)).toEqual(['body-too-large', 'closing-delimiter-missing']);
  });

  test('nesting deeper than four levels ends', () => {
    let body = `--b0\r\n${sdpPart}\r\n--b0--`;
    for (let level = 1; level < 10; level++) {
      body = `--b${level}\r\nContent-Type: multipart/mixed;boundary=b${level - 1}\r\n\r\n${body}\r\n--b${level}--`;
    }
    const { sdp, warnings } = readRecordingBody('multipart/mixed;boundary=b9', body);
    expect(sdp).toBe(null);
    expect(warnings.map((warning) => warning.code)).toEqual(['multipart-too-deep']);
  });
});

test('boundaryOf', () => {
  expect(boundaryOf('multipart/mixed; boundary="a\\"b"; x=y')).toBe('a"b');
  expect(boundaryOf('multipart/mixed; notboundary=a')).toBe(null);
  expect(boundaryOf('multipart/mixed; boundary=')).toBe(null);
  expect(boundaryOf(null)).toBe(null);
});

describe('fuzz', () => {
  test('any octets under any type give a result', () => {
    const type = fc.oneof(fc.constant(null), fc.constant(CONTENT_TYPE), fc.string());
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 2000 }), (contentType, bytes) => {
        const { sdp, metadata, others, warnings } = readRecordingBody(contentType, bytes);
        expect([sdp === null || typeof sdp, metadata === null || typeof metadata.text]).toBeDefined();
        expect(others.length + warnings.length).toBeLessThan(1000);
      }),
      { numRuns: 300 },
    );
  });

  test('mutated bodies never throw, and untouched parts survive', () => {
    const pieces = fc.constantFrom(
      '--',
      BOUNDARY,
      '\r\n',
      '\n',
      '\0',
      ':',
      'Content-Length: 7\r\n',
      '\r\n\r\n',
      'é',
      '--b1--',
    );
    const body = multipart();
    fc.assert(
      fc.property(fc.nat(body.length), fc.nat(40), pieces, (at, remove, insert) => {
        const mutated = body.slice(0, at) + insert + body.slice(at + remove);
        const { sdp } = readRecordingBody(CONTENT_TYPE, mutated);
        // Damage in the metadata must not reach the SDP.
        if (at > body.indexOf(METADATA)) expect(sdp).toBe(SDP);
      }),
      { numRuns: 1000 },
    );
  });
});
