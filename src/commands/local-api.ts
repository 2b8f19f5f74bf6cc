// Asks the recorder that runs on this machine, over its HTTP API and with the token that it keeps for its own user.
import { resolve } from 'node:path';
import { findLocalApi } from '../http/local-access.ts';
import type { ProblemDetails } from '../http/problem.ts';
import { ERROR_CATALOGUE, type ErrorCode, RecorderError } from '../lib/errors.ts';

const ANSWER_WITHIN_MS = 10_000;

export class LocalRecorder {
  readonly url: string;
  readonly #token: string;

  private constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  /** Rejects with NOT_RUNNING if there is no recorder for that data directory, or it is another user's. */
  static async find(dataDirectory: string): Promise<LocalRecorder> {
    const found = await findLocalApi(resolve(dataDirectory));
    if (!found) throw new RecorderError('NOT_RUNNING', `Data directory: ${resolve(dataDirectory)}`);
    return new LocalRecorder(found.url, found.token);
  }

  /** The answer's JSON; null if it has no content. Rejects with NOT_RUNNING, or with what the recorder says is wrong. */
  async ask<T>(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
    withinMs = ANSWER_WITHIN_MS,
  ): Promise<T> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}` };
    if (body) headers['content-type'] = 'application/json';
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(withinMs),
    }).catch((error: Error) => {
      throw new RecorderError('NOT_RUNNING', `${this.url}: ${error.message}`, { cause: error });
    });
    const text = await answer.text();
    if (answer.ok) return (text === '' ? null : JSON.parse(text)) as T;
    throw problemOf(text) ?? new Error(`${this.url} answers ${answer.status}`);
  }
}

/** What the recorder says is wrong, with its code if it is one of ours. */
class ToldProblem extends RecorderError {
  constructor(code: ErrorCode, message: string) {
    super(code);
    this.message = message;
  }
}

function problemOf(text: string): Error | null {
  try {
    const { title, detail, code } = JSON.parse(text) as ProblemDetails;
    const words = `${title}: ${detail}`;
    return Object.hasOwn(ERROR_CATALOGUE, code) ? new ToldProblem(code as ErrorCode, words) : new Error(words);
  } catch {
    return null;
  }
}
