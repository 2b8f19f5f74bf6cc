// The gate for a SIP server that can pass over strangers in silence: the embedded one (see its `screen`).
import type { AccessGate, Arrival } from './gate.ts';

interface ArrivingRequest extends Arrival {
  header(name: string): string | null;
}

export function screenOf(gate: Pick<AccessGate, 'sees' | 'isScanner'>) {
  return {
    admitsConnection: (arrival: Arrival) => gate.sees(arrival),
    admitsRequest: (request: ArrivingRequest) =>
      !gate.isScanner(request.header('User-Agent'), request.header('From')) && gate.sees(request),
  };
}
