// `npm run test:chaos [-- --faults N --seed S --arenas N --calls N --kills PERCENT --keep DIRECTORY]`
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    arenas: { type: 'string', default: '3' },
    calls: { type: 'string', default: '6' },
    kills: { type: 'string', default: '15' },
    keep: { type: 'string' },
  },
});
console.log(
  `chaos: seed ${values.seed}, ${values.faults} faults, ${values.arenas} recorders with ${values.calls} calls at a time`,
);
const report = await runChaos({
  seed: Number(values.seed),
  faults: Number(values.faults),
  arenas: Number(values.arenas),
  calls: Number(values.calls),
  killShare: Number(values.kills),
  keepIn: values.keep ?? null,
  shortestCallMs: 3_000,
  longestCallMs: 40_000,
  firstRtpPort: 15_900,
  onFault: (told) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${told}`),
});
console.log(JSON.stringify({ ...report, failures: report.failures.length }, null, 2));
for (const failure of report.failures) console.log(failure);
console.log(
  report.failures.length === 0
    ? 'chaos: everything that may not be lost is there'
    : `chaos: FAILED with seed ${values.seed}`,
);
process.exit(report.failures.length === 0 ? 0 : 1);
