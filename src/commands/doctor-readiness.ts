// `sipreel doctor`: the recorder that runs with this data directory, if one does. Does it take calls, and if not, why?
import { resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import { findLocalApi } from '../http/local-access.ts';
import { type Finding, ok, warn } from './finding.ts';

const ANSWER_WITHIN_MS = 3_000;

export async function checkReadiness({ data }: Pick<Config, 'data'>): Promise<Finding[]> {
  const api = await findLocalApi(resolve(data));
  if (!api) return [];
  try {
    const answer = await fetch(`${api.url}/readyz`, {
      headers: { authorization: `Bearer ${api.token}` },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    const { ready, reasons, gauges } = (await answer.json()) as ReadinessAnswer;
    const findings = (gauges ?? []).map((gauge) => (gauge.refusing ? warn(describe(gauge)) : ok(describe(gauge))));
    if (ready) return [ok(`the recorder at ${api.url} takes calls`), ...findings];
    return [...reasons.map(({ message }) => warn(`the recorder at ${api.url} refuses calls: ${message}`)), ...findings];
  } catch (error) {
    return [warn(`the recorder at ${api.url} does not answer: ${(error as Error).message}`)];
  }
}

interface ReadinessAnswer {
  ready: boolean;
  reasons: { code: string; message: string }[];
  gauges?: GaugeAnswer[];
}

interface GaugeAnswer {
  name: string;
  value: number | null;
  refuseAt?: number;
  acceptAt?: number;
  refusing: boolean;
}

function describe({ name, value, refuseAt, acceptAt }: GaugeAnswer): string {
  const measured = `${name} ${value === null ? 'unknown' : figure(value)}`;
  if (refuseAt === undefined || acceptAt === undefined) return measured;
  return `${measured} (refuses at ${figure(refuseAt)}, takes again at ${figure(acceptAt)})`;
}

const figure = (value: number) => String(Math.round(value * 10) / 10);
