// Is a recording whole? Both tones in their channels in every piece of what was said, nothing of what was said in a pause.
import { join } from 'node:path';
import type { ListedRecording } from '../../src/archive/list.ts';
import { readWav, silentBetween, toneLevel } from '../support/listen.ts';
import type { CallLog } from './sipp-calls.ts';
import { SECRET_HZ, tonesOf } from './tone-sender.ts';

const PIECE_MS = 200;
/** After each change: what was said just before it, and the resampling's edges. A late sender's packets stand too early. */
const MARGIN_MS = 100;
const LOUD_DB = -16;
const QUIET_DB = -50;

/** What is wrong with it, in words; an empty list is a whole recording. */
export function faultsOf({ directory, document }: ListedRecording, log: CallLog): string[] {
  const faults: string[] = [];
  const say = (text: string) => faults.push(`call ${log.call}: ${text}`);
  if (document.state !== 'finished' || document.endReason !== 'ended') say(`${document.state}, ${document.endReason}`);
  for (const { label, late, rendered } of document.streams) {
    if (late > 0 || !rendered) say(`stream ${label}: ${late} late, rendered ${rendered}`);
  }
  const names = document.participants.map((party) => party.name);
  if (names.join() !== `Caller ${log.call},Callee ${log.call}`) say(`parties ${names.join()}`);
  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  // Audio stands where it was spoken by the clock on the wall.
  const beganMs = Date.parse(document.times.audioStart!);
  log.phases.forEach(({ what, atMs }, index) => {
    if (what === 'end' || what === 'changing') return;
    const fromMs = atMs - beganMs + MARGIN_MS;
    const toMs = log.phases[index + 1]!.atMs - beganMs - (what === 'pause' ? MARGIN_MS : 0);
    // It is said from the answer on, and not to be kept from the answer on.
    if (
      what === 'pause' &&
      channels.some((samples) => toneLevel(samples, sampleRateHz, SECRET_HZ, fromMs - MARGIN_MS, fromMs) > QUIET_DB)
    ) {
      say('what was said right after the answer to the pause was kept');
    }
    for (let piece = fromMs; piece + PIECE_MS <= toMs; piece += PIECE_MS) {
      channels.forEach((samples, channel) => {
        const level = (hz: number) => toneLevel(samples, sampleRateHz, hz, piece, piece + PIECE_MS);
        const at = `channel ${channel} at ${Math.round(piece)} ms`;
        if (what === 'pause') {
          if (!silentBetween(samples, sampleRateHz, piece, piece + PIECE_MS)) say(`${at} is not silent while paused`);
          if (level(SECRET_HZ) > QUIET_DB) say(`${at} holds what was said while paused`);
          return;
        }
        const [own, other] = channel === 0 ? tonesOf(log.call) : tonesOf(log.call).toReversed();
        if (level(own!) < LOUD_DB) say(`${at} lacks its tone: ${level(own!).toFixed(0)} dB`);
        if (level(other!) > QUIET_DB) say(`${at} holds the other party: ${level(other!).toFixed(0)} dB`);
      });
    }
  });
  return faults;
}
