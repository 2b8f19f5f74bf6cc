// As much of S3 as the archive needs, in memory: whole and multipart uploads whose checksums are checked, HEAD, ranges, deletion. It can be
// told to misbehave. After Amazon S3's API reference (PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload, HeadObject,
// GetObject, DeleteObject, AbortMultipartUpload, ListParts, ListMultipartUploads; "Checking object integrity": the sum of a multipart object is that of its parts' sums).
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { whenTestEnds } from './when-test-ends.ts';

interface StoredObject {
  content: Buffer;
  sum: string;
}

export interface Request {
  method: string;
  /** Without the bucket. */
  key: string;
  query: URLSearchParams;
  range: string | undefined;
}

export class S3Store {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, Map<number, StoredObject>>();
  readonly uploadKeys = new Map<string, string>();
  readonly requests: Request[] = [];
  /** Told of each request before it is served: a status refuses it, `hang` never answers, null serves it. */
  trouble: (request: Request) => number | 'hang' | null = () => null;
  /** Whether it tells sums. */
  tellsSums = true;
  /** What really becomes of the content. */
  keep: (content: Buffer) => Buffer = (content) => content;
  url = '';

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    whenTestEnds(() => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    });
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return this;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url!, 'http://s3');
    const key = decodeURIComponent(url.pathname.replace(/^\/bucket\//, ''));
    const request = { method: message.method!, key, query: url.searchParams, range: message.headers.range };
    this.requests.push(request);
    const body = await buffer(message);
    const trouble = this.trouble(request);
    if (trouble === 'hang') return;
    const answer = (status: number, headers: Record<string, string> = {}, content: Buffer | string = '') =>
      void response.writeHead(status, { 'content-length': Buffer.byteLength(content), ...headers }).end(content);
    if (trouble !== null) return answer(trouble);
    if (!message.headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=id/')) return answer(403);
    const sum = createHash('sha256').update(body).digest('base64');
    const stated = message.headers['x-amz-checksum-sha256'];
    const uploadId = url.searchParams.get('uploadId');
    if (message.method === 'PUT') {
      if (stated !== sum) return answer(400);
      const object = { content: this.keep(body), sum };
      if (uploadId === null) this.objects.set(key, object);
      else if (!this.uploads.has(uploadId)) return answer(404);
      else this.uploads.get(uploadId)!.set(Number(url.searchParams.get('partNumber')), object);
      return answer(200, { etag: `"${sum.slice(0, 8)}"` });
    }
    if (message.method === 'POST' && uploadId === null) {
      const id = randomUUID();
      this.uploads.set(id, new Map());
      this.uploadKeys.set(id, key);
      return answer(
        200,
        {},
        `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    if (message.method === 'POST') return this.#complete(key, uploadId!, body.toString(), answer);
    if (message.method === 'DELETE') {
      if (uploadId === null) this.objects.delete(key);
      else if (!this.uploads.delete(uploadId)) return answer(404);
      return answer(204);
    }
    if (message.method === 'GET' && uploadId !== null) return this.#listParts(uploadId, url.searchParams, answer);
    if (message.method === 'GET' && url.searchParams.has('uploads')) {
      const prefix = url.searchParams.get('prefix') ?? '';
      const listed = [...this.uploadKeys].filter(([id, its]) => this.uploads.has(id) && its.startsWith(prefix));
      const xml = listed.map(([id, its]) => `<Upload><Key>${its}</Key><UploadId>${id}</UploadId></Upload>`).join('');
      return answer(200, {}, `<ListMultipartUploadsResult>${xml}</ListMultipartUploadsResult>`);
    }
    const object = this.objects.get(key);
    if (!object) return answer(404);
    const sums: Record<string, string> = this.tellsSums ? { 'x-amz-checksum-sha256': object.sum } : {};
    if (message.method === 'HEAD') {
      response.writeHead(200, { 'content-length': object.content.length, ...sums }).end();
      return;
    }
    const [, first = '0', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(message.headers.range ?? '') ?? [];
    answer(206, {}, object.content.subarray(Number(first), Number(last) + 1));
  }

  /** Two to a page. */
  #listParts(
    uploadId: string,
    query: URLSearchParams,
    answer: (status: number, headers?: Record<string, string>, content?: string) => void,
  ) {
    const parts = this.uploads.get(uploadId);
    if (!parts) return answer(404);
    const after = Number(query.get('part-number-marker') ?? 0);
    const rest = [...parts].filter(([number]) => number > after).sort(([a], [b]) => a - b);
    const page = rest.slice(0, 2);
    const xml = page.map(([number, { content, sum }]) => {
      const told = this.tellsSums ? `<ChecksumSHA256>${sum}</ChecksumSHA256>` : '';
      return `<Part><PartNumber>${number}</PartNumber><ETag>"e"</ETag><Size>${content.length}</Size>${told}</Part>`;
    });
    const more = rest.length > page.length;
    const next = more ? `<NextPartNumberMarker>${page.at(-1)![0]}</NextPartNumberMarker>` : '';
    answer(200, {}, `<ListPartsResult>${xml.join('')}<IsTruncated>${more}</IsTruncated>${next}</ListPartsResult>`);
  }

  #complete(
    key: string,
    uploadId: string,
    body: string,
    answer: (status: number, headers?: Record<string, string>, content?: string) => void,
  ) {
    const parts = this.uploads.get(uploadId);
    if (!parts) return answer(404);
    const named = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) => parts.get(Number(match[1]))!);
    const sums = Buffer.concat(named.map(({ sum }) => Buffer.from(sum, 'base64')));
    const sum = `${createHash('sha256').update(sums).digest('base64')}-${named.length}`;
    this.objects.set(key, { content: Buffer.concat(named.map(({ content }) => content)), sum });
    this.uploads.delete(uploadId);
    answer(200, {}, `<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`);
  }
}
