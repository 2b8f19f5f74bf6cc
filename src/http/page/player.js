// Plays a recording: one waveform per channel, both on one clock; each side can be muted. Nothing is fetched until it plays,
// so that looking at a recording is not listening to it.

import WaveSurfer from '/libraries/wavesurfer.js';
import RegionsPlugin from '/libraries/wavesurfer-regions.js';
import { get } from './api.js';
import { el, failure, fill, isTyping } from './dom.js';
import { duration, partyAddress, partyName } from './words.js';

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3];
const STEP_S = 5;
const POINTS = 4_000;
const CHANNEL_HEIGHT_PX = 72;
/** What fills the height at the least: quieter calls are not drawn larger. */
const LEAST_PEAK = 0.1;
const MOST_MARKS = 500;

/**
 * @param marks pieces of the audio that have something to say, from marks.js
 * @returns {{element: HTMLElement, seek: (ms: number) => void, close: () => void}}
 */
export function createPlayer({ id, audio, times, participants }, marks) {
  const address = `/api/recordings/${encodeURIComponent(id)}`;
  const media = new Audio();
  media.preload = 'none';
  media.src = `${address}/audio`;
  const sides = new Sides(media, audio.channels);
  const lengthS = times.durationMs / 1000;

  const wave = el(
    'div',
    { class: 'wave', 'aria-hidden': 'true' },
    el('p', { class: 'loading' }, 'Drawing the waveform…'),
  );
  const playButton = el('button', { type: 'button', class: 'main play', onclick: toggle }, 'Play');
  const clock = el('output', { class: 'clock', 'aria-live': 'off' });
  const position = el('input', {
    type: 'range',
    class: 'position',
    min: 0,
    max: lengthS,
    step: 'any',
    value: 0,
    'aria-label': 'Position',
    oninput: () => seek(Number(position.value) * 1000),
  });
  const speed = el(
    'select',
    { 'aria-label': 'Speed', onchange: () => setSpeed(Number(speed.value)) },
    SPEEDS.map((value) => el('option', { value, selected: value === 1 }, `${value}×`)),
  );
  const problem = el('div', {});
  let surfer = null;
  let closed = false;

  const element = el(
    'section',
    { class: 'player', 'aria-label': 'Player' },
    el(
      'div',
      { class: 'channels' },
      Array.from({ length: audio.channels }, (_, channel) => sideControl(channel)),
    ),
    wave,
    position,
    el(
      'div',
      { class: 'controls' },
      playButton,
      el(
        'button',
        { type: 'button', onclick: () => skip(-STEP_S), 'aria-label': `Back ${STEP_S} seconds` },
        `−${STEP_S} s`,
      ),
      el(
        'button',
        { type: 'button', onclick: () => skip(STEP_S), 'aria-label': `Forward ${STEP_S} seconds` },
        `+${STEP_S} s`,
      ),
      clock,
      el('label', { class: 'speed' }, 'Speed ', speed),
      el(
        'span',
        { class: 'zoom' },
        el('button', { type: 'button', 'aria-label': 'Show more of the call', onclick: () => zoom(1 / 2) }, '−'),
        el('button', { type: 'button', 'aria-label': 'Show less of the call, larger', onclick: () => zoom(2) }, '+'),
      ),
    ),
    problem,
  );

  for (const event of ['timeupdate', 'seeking', 'seeked']) media.addEventListener(event, showPosition);
  for (const event of ['play', 'pause', 'ended']) media.addEventListener(event, showPlaying);
  media.addEventListener('error', () => {
    if (!closed) fill(problem, failure(new Error('The audio cannot be played: it may have been deleted.')));
  });
  document.addEventListener('keydown', onKey);
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  scheme.addEventListener('change', paint);
  showPosition();
  void draw();

  async function draw() {
    try {
      const { peaks } = await get(`${address}/waveform?points=${POINTS}`);
      if (closed) return;
      fill(wave);
      const regions = RegionsPlugin.create();
      surfer = WaveSurfer.create({
        container: wave,
        cspNonce: document.querySelector('meta[name=style-nonce]').content,
        media,
        peaks,
        duration: lengthS,
        height: CHANNEL_HEIGHT_PX,
        // The same for both sides, so that a quiet one looks quiet; a quiet call is still seen.
        normalize: true,
        maxPeak: Math.max(LEAST_PEAK, ...peaks.map((side) => Math.max(0, ...side))),
        barWidth: 2,
        barGap: 1,
        barRadius: 1,
        cursorWidth: 2,
        dragToSeek: true,
        autoCenter: false,
        plugins: [regions],
        ...colours(),
      });
      // Before it knows the length, every mark would be at its beginning.
      surfer.once('ready', () => {
        for (const mark of marks.slice(0, MOST_MARKS)) addMark(regions, mark);
      });
    } catch (error) {
      if (!closed) fill(wave, failure(error, draw));
    }
  }

  function addMark(regions, { startMs, endMs, channel, kind, words }) {
    // The library names the part of what it is given itself.
    const label = el('span', { title: words }, kind === 'dtmf' && el('span', { part: 'mark-dtmf' }, words));
    const region = regions.addRegion({
      start: startMs / 1000,
      ...(endMs === null ? {} : { end: endMs / 1000 }),
      ...(channel === null ? {} : { channelIdx: channel }),
      drag: false,
      resize: false,
      color: colourOf(`--mark-${kind}`),
      content: label,
    });
    region.element?.setAttribute('title', words);
  }

  function colours() {
    return {
      cursorColor: colourOf('--text'),
      splitChannels: Array.from({ length: audio.channels }, (_, channel) => ({
        waveColor: colourOf(`--side-${channel % 2}-soft`),
        progressColor: colourOf(`--side-${channel % 2}`),
      })),
    };
  }

  function paint() {
    surfer?.setOptions(colours());
  }

  function sideControl(channel) {
    const here = participants.filter((party) => party.channel === channel);
    const name = here.map(partyName).join(', ') || (audio.layout === 'mono' ? 'Everybody' : 'Nobody known');
    const button = el('button', { type: 'button', class: 'mute', 'aria-pressed': 'false' }, 'Mute');
    button.setAttribute('aria-label', `Mute ${name}`);
    button.addEventListener('click', () => {
      const muted = !sides.muted(channel);
      sides.mute(channel, muted);
      button.setAttribute('aria-pressed', String(muted));
      button.textContent = muted ? 'Muted' : 'Mute';
      block.classList.toggle('muted', muted);
    });
    const block = el(
      'div',
      { class: `side side-${channel % 2}` },
      el('b', {}, name),
      el('small', {}, [...here.map(partyAddress), ...here.map(({ role }) => role)].filter(Boolean).join(' · ')),
      audio.channels > 1 && button,
    );
    return block;
  }

  async function toggle() {
    if (!media.paused) return media.pause();
    fill(problem);
    sides.start();
    try {
      await media.play();
    } catch (error) {
      if (error.name !== 'AbortError') showPlaying();
    }
  }

  function seek(ms) {
    media.currentTime = Math.max(0, Math.min(lengthS, ms / 1000));
    surfer?.setTime(media.currentTime);
    showPosition();
  }

  function skip(seconds) {
    seek((media.currentTime + seconds) * 1000);
  }

  function setSpeed(value) {
    media.playbackRate = value;
    media.defaultPlaybackRate = value;
    media.preservesPitch = true;
  }

  let pixelsPerSecond = 0;
  function zoom(factor) {
    if (!surfer) return;
    const whole = wave.clientWidth / lengthS;
    pixelsPerSecond = Math.max(whole, Math.min(2_000, Math.max(whole, pixelsPerSecond) * factor));
    surfer.zoom(pixelsPerSecond);
  }

  function showPosition() {
    const now = media.currentTime;
    clock.textContent = `${duration(now * 1000)} / ${duration(times.durationMs)}`;
    position.value = now;
    position.setAttribute('aria-valuetext', `${duration(now * 1000)} of ${duration(times.durationMs)}`);
  }

  function showPlaying() {
    playButton.textContent = media.paused ? 'Play' : 'Pause';
    playButton.classList.toggle('playing', !media.paused);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target instanceof Element && event.target.closest('button, a, summary') !== null;
    if (isTyping(event)) return;
    if ((event.key === ' ' && !onButton) || event.key === 'k') void toggle();
    else if (event.key === 'ArrowLeft') skip(-STEP_S);
    else if (event.key === 'ArrowRight') skip(STEP_S);
    else if (event.key === 'Home') seek(0);
    else return;
    event.preventDefault();
  }

  function close() {
    closed = true;
    document.removeEventListener('keydown', onKey);
    scheme.removeEventListener('change', paint);
    media.pause();
    surfer?.destroy();
    media.removeAttribute('src');
    media.load();
    sides.close();
  }

  return { element, seek, close };
}

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A gain per channel. While all but one are muted, that one is heard in both ears. */
class Sides {
  #media;
  #muted;
  #context = null;
  /** By channel: how much of it goes to the left and to the right. */
  #gains = [];

  constructor(media, channels) {
    this.#media = media;
    this.#muted = new Array(channels).fill(false);
  }

  muted(channel) {
    return this.#muted[channel];
  }

  mute(channel, muted) {
    this.#muted[channel] = muted;
    this.#apply();
  }

  /** Browsers let sound begin only after somebody has pressed something. */
  start() {
    if (this.#muted.length > 1 && !this.#context) this.#connect();
    void this.#context?.resume();
  }

  close() {
    void this.#context?.close();
  }

  #connect() {
    const context = new AudioContext();
    const splitter = context.createChannelSplitter(this.#muted.length);
    const merger = context.createChannelMerger(2);
    context.createMediaElementSource(this.#media).connect(splitter);
    this.#gains = this.#muted.map((_, channel) =>
      [0, 1].map((ear) => {
        const gain = context.createGain();
        splitter.connect(gain, channel).connect(merger, 0, ear);
        return gain.gain;
      }),
    );
    merger.connect(context.destination);
    this.#context = context;
    this.#apply();
  }

  #apply() {
    const heard = this.#muted.filter((muted) => !muted).length;
    const stereo = this.#muted.length === 2 && heard === 2;
    this.#gains.forEach((ears, channel) => {
      ears.forEach((gain, ear) => {
        if (this.#muted[channel]) gain.value = 0;
        else gain.value = stereo && ear !== channel ? 0 : 1;
      });
    });
  }
}
