// An S3-compatible object store. What `put` resolves for was verified: the store told the sum that we made, or gave the octets back.
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
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
}

/** The least that S3 takes as a part, and the most that is in memory of a file at a time. */
export const PART_OCTETS = 5 << 20;
const READ_OCTETS = 64 << 10;
const CONNECT_MS = 10_000;
const REQUEST_MS = 120_000;

export class ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor({ bucket, endpoint, region, credentials }: S3Settings) {
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
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS },
    });
  }

  /**
   * Stores a file and makes sure of it. `onUpload` is told the id of a multipart upload before its first part, so that it can be taken
   * back later. Rejects with STORE_FAILED, or with the system's error for the file.
   */
  async put(key: string, path: string, signal: AbortSignal, onUpload: (uploadId: string) => Promise<void>) {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const whole = createHash('sha256');
      const sum =
        size <= PART_OCTETS
          ? await this.#putWhole(key, await readPart(file, 0, size, whole), signal)
          : await this.#putParts(key, file, size, whole, signal, onUpload);
      const sha256 = whole.digest('hex');
      await this.#verify(key, { octets: size, sha256, sum }, signal);
      return { octets: size, sha256 };
    } finally {
      await file.close();
    }
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
    file: FileHandle,
    size: number,
    whole: Hash,
    signal: AbortSignal,
    onUpload: (uploadId: string) => Promise<void>,
  ): Promise<string> {
    const target = { Bucket: this.#bucket, Key: key };
    const create = new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'SHA256' });
    const { UploadId } = await this.#ask((options) => this.#client.send(create, options), signal);
    await onUpload(UploadId!);
    const parts: { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }[] = [];
    for (let at = 0; at < size; at += PART_OCTETS) {
      const { body, sum } = await readPart(file, at, Math.min(PART_OCTETS, size - at), whole);
      const PartNumber = parts.length + 1;
      const input = { ...target, UploadId, PartNumber, Body: body, ContentLength: body.length, ChecksumSHA256: sum };
      const { ETag } = await this.#ask((options) => this.#client.send(new UploadPartCommand(input), options), signal);
      parts.push({ PartNumber, ETag, ChecksumSHA256: sum });
    }
    const complete = new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: parts } });
    await this.#ask((options) => this.#client.send(complete, options), signal);
    // The sum of a multipart object is that of its parts' sums.
    const composite = createHash('sha256');
    for (const { ChecksumSHA256 } of parts) composite.update(Buffer.from(ChecksumSHA256, 'base64'));
    return `${composite.digest('base64')}-${parts.length}`;
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

/** Read in small pieces: hashing one large one would keep everything else waiting. */
async function readPart(file: FileHandle, at: number, octets: number, whole: Hash): Promise<Part> {
  const body = Buffer.allocUnsafe(octets);
  const hash = createHash('sha256');
  for (let read = 0; read < octets; ) {
    const { bytesRead } = await file.read(body, read, Math.min(READ_OCTETS, octets - read), at + read);
    if (bytesRead === 0) throw new Error('the file became shorter while it was uploaded');
    const piece = body.subarray(read, read + bytesRead);
    hash.update(piece);
    whole.update(piece);
    read += bytesRead;
  }
  return { body, sum: hash.digest('base64') };
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
