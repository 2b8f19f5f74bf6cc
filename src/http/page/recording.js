// One recording: heard, understood, described, kept or deleted.

import { showAnnotations } from './annotations.js';
import { ask, get, may } from './api.js';
import { details } from './details.js';
import { confirmed, el, failure, fill } from './dom.js';
import { KINDS, marksOf } from './marks.js';
import { createPlayer } from './player.js';
import { timeline } from './timeline.js';
import { day, duration, END_REASONS, octets, quality, SOURCES, STATES, time, title } from './words.js';

/** Returns what ends the view. */
export function showRecording(main, session, id) {
  const address = `/api/recordings/${encodeURIComponent(id)}`;
  const abort = new AbortController();
  let player = null;
  void load();

  async function load() {
    document.title = 'Recording – sipreel';
    fill(main, el('p', { class: 'loading', role: 'status' }, 'Opening the recording…'));
    try {
      show(await get(address, abort.signal));
    } catch (error) {
      if (error.name === 'AbortError') return;
      const words =
        error.status === 404
          ? new Error(
              'There is no such recording, or it is not yours to see. A call that has just ended takes a moment to be filed.',
            )
          : error;
      fill(main, back(), failure(words, load));
    }
  }

  function show({ document: recording, annotations }) {
    const name = title(recording.participants);
    document.title = `${name} – sipreel`;
    const marks = marksOf(recording);
    if (recording.audio) player = createPlayer(recording, marks);
    const seek = player ? (ms) => player.seek(ms) : null;
    const notes = el('section', { class: 'panel' });
    showAnnotations(notes, session, address, annotations);
    fill(
      main,
      back(),
      el('header', { class: 'headline' }, el('h1', {}, name), downloads(recording)),
      el('p', { class: 'soft' }, facts(recording)),
      heard(recording),
      player?.element ?? el('p', { class: 'notice' }, silence(recording)),
      legend(marks),
      warnings(recording),
      timeline(recording, seek),
      notes,
      details(recording),
      may(session, 'admin') && el('section', { class: 'buttons end' }, deleteButton(name)),
    );
  }

  function downloads({ files }) {
    const audio = files.find(({ role }) => role === 'audio');
    const journal = files.find(({ role }) => role === 'journal');
    return el(
      'div',
      { class: 'buttons' },
      audio &&
        el(
          'a',
          { class: 'button', href: `${address}/audio?download=true`, download: '' },
          `WAV, ${octets(audio.octets)}`,
        ),
      journal &&
        el('a', { class: 'button', href: `${address}/journal`, download: '' }, `Journal, ${octets(journal.octets)}`),
    );
  }

  function deleteButton(name) {
    const problem = el('p', { class: 'bad-text', role: 'alert' });
    const button = el('button', { type: 'button', class: 'danger' }, 'Delete this recording');
    button.addEventListener('click', async () => {
      const sure = await confirmed({
        title: 'Delete this recording?',
        text: `${name}: audio, journal, notes and every trace in the index will be gone. Nobody can bring them back.`,
        yes: 'Delete',
      });
      if (!sure) return;
      button.disabled = true;
      try {
        await ask('DELETE', address);
        location.hash = '#/';
      } catch (error) {
        problem.textContent = error.message;
        button.disabled = false;
      }
    });
    return [problem, button];
  }

  return () => {
    abort.abort();
    player?.close();
  };
}

function back() {
  const link = el('a', { href: '#/', class: 'back' }, '← Recordings');
  // The search that led here stands in the history.
  link.addEventListener('click', (event) => {
    if (history.length < 2 || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    history.back();
  });
  return el('p', {}, link);
}

function facts({ times, source, state, endReason }) {
  return [
    `${day(times.start)}, ${time(times.start)}`,
    times.durationMs > 0 ? duration(times.durationMs) : STATES[state],
    SOURCES[source] ?? source,
    END_REASONS[endReason] ?? endReason,
  ].join(' · ');
}

function heard(recording) {
  return el(
    'ul',
    { class: 'quality', 'aria-label': 'Quality' },
    quality(recording).map(({ who, words, grade }) =>
      el('li', { class: `mark ${grade}` }, el('b', {}, who), ` ${words}`),
    ),
  );
}

function silence({ state, streams }) {
  if (state === 'empty')
    return 'No media arrived, so there is nothing to hear. Signalling and metadata are kept below.';
  if (state === 'not-renderable') {
    const codecs = [...new Set(streams.flatMap((stream) => stream.codecs))].join(', ');
    return `What arrived cannot be decoded here (${codecs}). It is kept in the journal, which can be downloaded.`;
  }
  return 'The audio could not be made. What arrived is kept in the journal; "sipreel recover" tries again.';
}

function legend(marks) {
  const kinds = [...new Set(marks.map(({ kind }) => kind))];
  if (kinds.length === 0) return null;
  return el(
    'ul',
    { class: 'legend', 'aria-label': 'Marks in the waveform' },
    kinds.map((kind) => el('li', { class: `legend-${kind}` }, KINDS[kind])),
  );
}

function warnings({ warnings: found }) {
  if (found.length === 0) return null;
  return el(
    'section',
    { class: 'notice', 'aria-label': 'Warnings' },
    el('h2', {}, found.length === 1 ? 'Warning' : `${found.length} warnings`),
    el(
      'ul',
      {},
      found.map(({ code, message }) => el('li', {}, message, ' ', el('code', {}, code))),
    ),
  );
}
