// The body of an import: the file itself, or a form (RFC 7578) with the file and fields in any order. Nothing is held in memory.
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { HttpProblem } from '../problem.ts';
import type { ImportFields } from './fields.ts';

/** Of all the rest of a form together; the file has a limit of its own. */
const FORM_LIMITS = { fieldNameSize: 200, fieldSize: 4_000, fields: 100, parts: 101, files: 1, headerPairs: 20 };

type Take<T> = (content: AsyncIterable<Buffer>) => Promise<T>;

/** `take` is called once. After a rejection what is left of the body is thrown away, so that the client gets its answer. */
export async function readBody<T>(
  request: IncomingMessage,
  fields: ImportFields,
  take: Take<T>,
): Promise<{ taken: T; fileName: string | null }> {
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    request.resume();
    throw new HttpProblem(415, 'ENCODED', 'Send the file as it is, without Content-Encoding.');
  }
  const type = request.headers['content-type'] ?? '';
  try {
    if (/^multipart\/form-data\b/i.test(type)) return await readForm(request, type, fields, take);
    if (/^application\/x-www-form-urlencoded\b/i.test(type)) {
      throw new HttpProblem(415, 'NO_FILE', 'Send the file as the body (curl -T) or in a multipart form (curl -F).');
    }
    // Leaving the loop early must not close the connection: there is an answer to be sent.
    return { taken: await take(request.iterator({ destroyOnReturn: false })), fileName: null };
  } catch (error) {
    request.resume();
    throw error;
  }
}

function readForm<T>(request: IncomingMessage, type: string, fields: ImportFields, take: Take<T>) {
  return new Promise<{ taken: T; fileName: string | null }>((resolve, reject) => {
    let content: Readable | null = null;
    let fileName: string | null = null;
    let taking: Promise<T> | null = null;
    const fail = (error: Error) => {
      request.unpipe(form);
      content?.destroy(error);
      reject(error);
    };
    const guarded = (work: () => void) => {
      try {
        work();
      } catch (error) {
        fail(error as Error);
      }
    };
    const form = newForm(request, type);
    const tooMuch = () =>
      fail(new HttpProblem(400, 'INVALID_REQUEST', 'The form has one file and at most 100 fields.'));
    form.on('partsLimit', tooMuch).on('filesLimit', tooMuch).on('fieldsLimit', tooMuch);
    form.on('field', (name, value, nameCut, valueCut) => {
      if (nameCut || valueCut) tooMuch();
      else guarded(() => fields.add(name, value));
    });
    form.on('file', (_, stream, name) => {
      content = stream;
      // It may come when nobody reads any more; the form's own error is what is told.
      stream.on('error', () => {});
      fileName = name || null;
      taking = take(stream as AsyncIterable<Buffer>);
      taking.catch(fail);
    });
    form.on('error', () => fail(new HttpProblem(400, 'INVALID_REQUEST', 'The form breaks off or is none.')));
    form.on('finish', () => {
      if (taking === null) fail(new HttpProblem(400, 'NO_FILE', 'There is no file in the form.'));
      else taking.then((taken) => resolve({ taken, fileName }), reject);
    });
    request.once('close', () => {
      if (!request.complete) fail(new Error('the client has gone'));
    });
    request.pipe(form);
  });
}

function newForm(request: IncomingMessage, type: string): BusboyInstance {
  try {
    return new Busboy({ headers: { ...request.headers, 'content-type': type }, limits: FORM_LIMITS });
  } catch {
    throw new HttpProblem(400, 'INVALID_REQUEST', 'The form has no boundary.');
  }
}
