// An S3-compatible object store. What `put` resolves for was verified: the store told the sum that we made, or gave the octets back.
import { createHash, type Hash } from 'node:crypto';
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { RecorderError } from '../../lib/errors.ts';
import type { ByteSource } from '../byte-source.ts';

export interface S3Settings {
  bucket: string;
  /** Null: Amazon's. */
  endpoint: string | null;
  region: string;
  /** Null: as the AWS SDK finds them (environment, files, roles). */
  credentials: { accessKeyId: string; secretAccessKey: string } | null;
  /** Default: the SDK's. */
  agents?: { httpAgent: HttpAgent; httpsAgent: HttpsAgent };
}

/** What is stored. */
export type StoreContent = Pick<ByteSource, 'octets' | 'read'>;

export interface PutOptions {
  signal: AbortSignal;
  /** An upload in parts that was cut off: what the store has of it is not sent again. */
  uploadId: string | null;
  /** Told the id of a new upload in parts before its first one, so that it can be taken back or gone on with later. */
  onUpload: (uploadId: string) => Promise<void>;
}

/** The least that S3 takes as a part, and the most that is in memory of a file at a time. */
export const PART_OCTETS = 5 << 20;
const CONNECT_MS = 10_000;
const REQUEST_MS = 120_000;

export class ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor({ bucket, endpoint, region, credentials, agents }: S3Settings) {
    this.#bucket = bucket;
    this.#client = new S3Client({
      region,
      ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
      ...(credentials ? { credentials } : {}),
      // Whoever asks has delays of its own.
      maxAttempts: 1,
      // We give sums ourselves where they count; not every store knows the newer defaults.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, ...agents },
    });
  }

  /** Stores content and makes sure of it. Rejects with STORE_FAILED, or as reading the content does. */
  async put(key: string, content: StoreContent, options: PutOptions): Promise<{ octets: number; sha256: string }> {
    const { octets } = content;
    const whole = createHash('sha256');
    const sum =
      octets <= PART_OCTETS
        ? await this.#putWhole(key, await readPart(content, 0, octets, whole), options.signal)
        : await this.#putParts(key, content, whole, options);
    const sha256 = whole.digest('hex');
    await this.#verify(key, { octets, sha256, sum }, options.signal);
    return { octets, sha256 };
  }

  /** The id of an upload for that key that was cut off; null if there is none, or content of that size goes in one piece. */
  async unfinishedUpload(key: string, octets: number): Promise<string | null> {
    if (octets <= PART_OCTETS) return null;
    const list = new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: key });
    const { Uploads = [] } = await this.#ask((options) => this.#client.send(list, options));
    return Uploads.find((upload) => upload.Key === key)?.UploadId ?? null;
  }

  source(key: string, octets: number): ByteSource {
    return {
      octets,
      read: (first, last) => Readable.from(this.#range(key, first, last), { objectMode: false }),
      close: async () => {},
    };
  }

  /** Nothing happens if it is not there. */
  async remove(key: string, uploadId: string | null): Promise<void> {
    const target = { Bucket: this.#bucket, Key: key };
    if (uploadId !== null) {
      await this.#ask((options) =>
        this.#client.send(new AbortMultipartUploadCommand({ ...target, UploadId: uploadId }), options),
      ).catch(unlessGone);
    }
    await this.#ask((options) => this.#client.send(new DeleteObjectCommand(target), options)).catch(unlessGone);
  }

  close(): void {
    this.#client.destroy();
  }

  async #putWhole(key: string, { body, sum }: Part, signal: AbortSignal): Promise<string> {
    const input = { Bucket: this.#bucket, Key: key, Body: body, ContentLength: body.length, ChecksumSHA256: sum };
    await this.#ask((options) => this.#client.send(new PutObjectCommand(input), options), signal);
    return sum;
  }

  async #putParts(
    key: string,
    content: StoreContent,
    whole: Hash,
    { signal, uploadId, onUpload }: PutOptions,
  ): Promise<string> {
    const target = { Bucket: this.#bucket, Key: key };
    const size = content.octets;
    const stored = uploadId === null ? null : await this.#storedParts(key, uploadId);
    let UploadId = uploadId;
    if (stored === null) {
      const create = new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'SHA256' });
      UploadId = (await this.#ask((options) => this.#client.send(create, options), signal)).UploadId!;
      await onUpload(UploadId);
    }
    const parts: { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }[] = [];
    for (let at = 0; at < size; at += PART_OCTETS) {
      const { body, sum } = await readPart(content, at, Math.min(PART_OCTETS, size - at), whole);
      const PartNumber = parts.length + 1;
      const there = stored?.get(PartNumber);
      if (there?.octets === body.length && there.sum === sum) {
        parts.push({ PartNumber, ETag: there.ETag, ChecksumSHA256: sum });
        continue;
      }
      const input = {
        ...target,
        UploadId: UploadId!,
        PartNumber,
        Body: body,
        ContentLength: body.length,
        ChecksumSHA256: sum,
      };
      const { ETag } = await this.#ask((options) => this.#client.send(new UploadPartCommand(input), options), signal);
      parts.push({ PartNumber, ETag, ChecksumSHA256: sum });
    }
    const complete = new CompleteMultipartUploadCommand({
      ...target,
      UploadId: UploadId!,
      MultipartUpload: { Parts: parts },
    });
    await this.#ask((options) => this.#client.send(complete, options), signal);
    // The sum of a multipart object is that of its parts' sums.
    const composite = createHash('sha256');
    for (const { ChecksumSHA256 } of parts) composite.update(Buffer.from(ChecksumSHA256, 'base64'));
    return `${composite.digest('base64')}-${parts.length}`;
  }

  /** What the store has of an upload, and with which sums; null if it does not know it any more. */
  async #storedParts(key: string, UploadId: string): Promise<Map<number, StoredPart> | null> {
    const parts = new Map<number, StoredPart>();
    for (let after: string | undefined; ; ) {
      const list = new ListPartsCommand({ Bucket: this.#bucket, Key: key, UploadId, PartNumberMarker: after });
      const page = await this.#ask((options) => this.#client.send(list, options)).catch(unlessGone);
      if (!page) return null;
      for (const { PartNumber, Size, ETag, ChecksumSHA256 } of page.Parts ?? [])
        parts.set(PartNumber!, { octets: Size, ETag, sum: ChecksumSHA256 });
      if (!page.IsTruncated) return parts;
      after = page.NextPartNumberMarker;
    }
  }

  async #verify(key: string, expected: { octets: number; sha256: string; sum: string }, signal: AbortSignal) {
    const head = new HeadObjectCommand({ Bucket: this.#bucket, Key: key, ChecksumMode: 'ENABLED' });
    const { ContentLength, ChecksumSHA256 } = await this.#ask((options) => this.#client.send(head, options), signal);
    const differs = (what: string) => new RecorderError('STORE_FAILED', `${key} is not what was uploaded: ${what}.`);
    if (ContentLength !== expected.octets) throw differs(`${ContentLength} octets instead of ${expected.octets}`);
    if (ChecksumSHA256 === expected.sum) return;
    // A store without sums, or with another way to make them of parts: only the content tells.
    const hash = createHash('sha256');
    if (expected.octets > 0)
      for await (const part of this.#range(key, 0, expected.octets - 1, signal)) hash.update(part);
    if (hash.digest('hex') !== expected.sha256) throw differs('its SHA-256 differs');
  }

  async *#range(key: string, first: number, last: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const input = { Bucket: this.#bucket, Key: key, Range: `bytes=${first}-${last}` };
    const { Body } = await this.#ask((options) => this.#client.send(new GetObjectCommand(input), options), signal);
    let octets = 0;
    try {
      for await (const part of Body as Readable) {
        octets += (part as Buffer).length;
        yield part as Buffer;
      }
    } catch (error) {
      throw storeError(error);
    }
    if (octets !== last - first + 1) throw new RecorderError('STORE_FAILED', `${key} ended after ${octets} octets.`);
  }

  async #ask<T>(request: (options: { abortSignal: AbortSignal }) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const limit = AbortSignal.timeout(REQUEST_MS);
    try {
      return await request({ abortSignal: signal ? AbortSignal.any([signal, limit]) : limit });
    } catch (error) {
      throw storeError(error);
    }
  }
}

interface Part {
  body: Buffer;
  /** SHA-256, base64. */
  sum: string;
}

interface StoredPart {
  octets: number | undefined;
  ETag: string | undefined;
  /** Not every store tells it: then the part is sent again. */
  sum: string | undefined;
}

/** Read in small pieces: hashing one large one would keep everything else waiting. */
async function readPart(content: StoreContent, at: number, octets: number, whole: Hash): Promise<Part> {
  const hash = createHash('sha256');
  const pieces: Buffer[] = [];
  if (octets > 0) {
    for await (const piece of content.read(at, at + octets - 1) as AsyncIterable<Buffer>) {
      hash.update(piece);
      whole.update(piece);
      pieces.push(piece);
    }
  }
  return { body: Buffer.concat(pieces, octets), sum: hash.digest('base64') };
}

/** Without what the SDK attaches: requests with their headers do not belong in a log. */
function storeError(error: unknown): RecorderError {
  if (error instanceof RecorderError) return error;
  const { name, message } = error as Error;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  return new RecorderError('STORE_FAILED', [name, status, message].filter(Boolean).join(' '), {
    cause: Object.assign(new Error(name), { status }),
  });
}

function unlessGone(error: RecorderError): void {
  if ((error.cause as { status?: number } | undefined)?.status !== 404) throw error;
}
