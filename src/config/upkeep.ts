// What finished recordings are brought to, as configured.
import type { Encoder } from '../archive/formats/encoder.ts';
import type { ArchiveIndex } from '../archive/index/archive-index.ts';
import type { StoreMirror } from '../archive/remote/mirror.ts';
import { Upkeep } from '../archive/upkeep/upkeep.ts';
import { systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { CopyFormat } from '../recording/audio-format.ts';
import type { Config } from './schema.ts';
import { storagePlaces } from './storage-places.ts';

export interface UpkeepParts {
  index: ArchiveIndex;
  mirror: StoreMirror | null;
  encoder: Encoder | null;
  isBusy: () => boolean;
  log: Log;
}

export function openUpkeep(config: Config, { index, mirror, encoder, isBusy, log }: UpkeepParts): Upkeep {
  const missing = formatsMissing(config, encoder);
  if (missing.length > 0) log.warn({ formats: missing }, `${NO_ENCODER}: recordings stay as WAV alone there`);
  return new Upkeep({
    dataDirectory: storagePlaces(config).archive,
    library: index.library,
    formats: config.audio.formats.filter((format) => !missing.includes(format)),
    encoder,
    store: mirror,
    isBusy,
    clock: systemClock,
    log: log.child({ part: 'upkeep' }),
  });
}

export const NO_ENCODER = 'no ffmpeg on the PATH that makes these formats';

/** Of the formats that are asked for. */
export function formatsMissing({ audio }: Pick<Config, 'audio'>, encoder: Encoder | null): CopyFormat[] {
  return audio.formats.filter((format) => !encoder?.formats.includes(format));
}
