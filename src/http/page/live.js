// Running calls: who, for how long, how loud. They come and go by themselves, told by the recorder as events.
import { ask, may } from './api.js';
import { confirmed, el, fill, say } from './dom.js';
import { LiveSound } from './live-sound.js';
import { duration, inOrder, partyAddress, partyName, SOURCES, title } from './words.js';

/** Quieter than this is an empty meter. */
const SILENCE_DB = -60;

/** Returns what ends the view. `counted` is told how many calls run. */
export function showLive(main, session, counted) {
  document.title = 'Live – sipreel';
  const cards = new Map();
  const list = el('ul', { class: 'cards', 'aria-label': 'Running calls' });
  const state = el(
    'div',
    { class: 'state' },
    el('p', { class: 'loading', role: 'status' }, 'Looking for running calls…'),
  );
  fill(main, el('h1', {}, 'Live'), state, list);
  /** What the recorder's clock is ahead of ours. */
  let aheadMs = 0;
  let listening = null;

  const events = new EventSource('/api/live/events');
  events.addEventListener('calls', ({ data }) => {
    const { nowMs, items } = JSON.parse(data);
    aheadMs = nowMs - Date.now();
    show(items);
  });
  events.addEventListener('levels', ({ data }) => {
    for (const [id, levels] of Object.entries(JSON.parse(data))) cards.get(id)?.showLevels(levels);
  });
  events.addEventListener('error', () => {
    const words =
      events.readyState === EventSource.CLOSED
        ? 'The recorder tells nothing of running calls. You may have to log in again, or it is too busy.'
        : 'The connection to the recorder is lost. Trying again…';
    fill(state, el('p', { class: 'notice bad', role: 'alert' }, words));
  });
  const ticking = setInterval(() => {
    for (const card of cards.values()) card.showTime(Date.now() + aheadMs);
  }, 500);

  function show(items) {
    counted(items.length);
    const running = new Set(items.map(({ recordingId }) => recordingId));
    for (const [id, card] of cards) if (!running.has(id)) end(id, card);
    for (const item of items.toReversed()) {
      const known = cards.get(item.recordingId);
      const card = known ?? callCard(item, session, { listen });
      card.update(item);
      if (known) continue;
      cards.set(item.recordingId, card);
      list.prepend(card.element);
      card.showTime(Date.now() + aheadMs);
      say(`New call: ${title(withSides(item))}`);
    }
    fill(
      state,
      items.length === 0 &&
        el(
          'div',
          { class: 'empty' },
          el('p', {}, 'Nobody is being recorded right now.'),
          el('p', { class: 'soft' }, 'A call appears here as soon as it begins.'),
        ),
    );
  }

  function end(id, card) {
    if (listening?.id === id) stopListening();
    cards.delete(id);
    card.end();
    say('A call has ended');
  }

  function listen(id, card) {
    const again = listening?.id === id;
    stopListening();
    if (again) return;
    const sound = new LiveSound(id, (words, goesOn) => {
      card.showListening(words, goesOn);
      if (!goesOn && listening?.sound === sound) listening = null;
    });
    listening = { id, sound };
    void sound.start();
  }

  function stopListening() {
    listening?.sound.stop();
    listening = null;
  }

  return () => {
    events.close();
    clearInterval(ticking);
    stopListening();
  };
}

/** One running call. Its elements stay the same while it lasts, so that the focus stays where it is. */
function callCard(call, session, { listen }) {
  const id = call.recordingId;
  let { startMs } = call;
  const clock = el('span', { class: 'length' });
  const heading = el('h2', {});
  const facts = el('p', { class: 'soft' });
  const meters = el('div', { class: 'meters' });
  const problem = el('p', { class: 'bad-text', role: 'alert' });
  const hearing = el('p', { class: 'soft', role: 'status' });
  const listenButton = el('button', { type: 'button', class: 'main' }, 'Listen');
  const pauseButton = el('button', { type: 'button' }, 'Pause');
  const stopButton = el('button', { type: 'button', class: 'danger' }, 'Stop');
  const orders = el('div', { class: 'buttons' }, listenButton, may(session, 'manage') && [pauseButton, stopButton]);
  const element = el(
    'li',
    { class: 'card' },
    el('div', { class: 'headline' }, heading, el('span', { class: 'badge' }, 'Paused'), clock),
    facts,
    meters,
    hearing,
    problem,
    orders,
  );
  let paused = false;

  const card = { element, update, showTime, showLevels, showListening, end };
  listenButton.addEventListener('click', () => listen(id, card));
  pauseButton.addEventListener('click', () => order(pauseButton, paused ? 'resume' : 'pause'));
  stopButton.addEventListener('click', async () => {
    const sure = await confirmed({
      title: 'Stop recording this call?',
      text: 'The call itself goes on. What has been recorded so far is kept.',
      yes: 'Stop recording',
    });
    if (sure) await order(stopButton, 'stop');
  });

  async function order(button, action) {
    button.disabled = true;
    problem.textContent = '';
    try {
      await ask('POST', `/api/live/${encodeURIComponent(id)}/${action}`, { body: {} });
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  }

  function update(told) {
    const item = { ...told, participants: withSides(told) };
    startMs = item.startMs;
    paused = item.paused;
    element.classList.toggle('paused', paused);
    pauseButton.textContent = paused ? 'Resume' : 'Pause';
    heading.textContent = title(item.participants);
    facts.textContent = [
      ...item.participants.map(partyAddress).filter(Boolean),
      SOURCES[item.source] ?? item.source,
      item.peer,
    ].join(' · ');
    showMeters(item);
  }

  function showMeters(item) {
    const channels = [...new Set(item.streams.map(({ channel }) => channel ?? 0))].sort((a, b) => a - b);
    if (meters.childElementCount !== channels.length) {
      fill(
        meters,
        channels.map((channel) =>
          el(
            'div',
            { class: `meter side-${channel % 2}`, 'data-channel': channel },
            el('span', { class: 'label' }),
            el('span', { class: 'bar', 'aria-hidden': 'true' }, el('span', { class: 'level' })),
          ),
        ),
      );
    }
    for (const meter of meters.children) {
      const streams = item.streams.filter(({ channel }) => (channel ?? 0) === Number(meter.dataset.channel));
      const party = item.participants.find(({ channel }) => channel === Number(meter.dataset.channel));
      meter.querySelector('.label').textContent =
        `${party ? partyName(party) : sideName(Number(meter.dataset.channel))}${stateOf(streams)}`;
    }
  }

  function showTime(nowMs) {
    clock.textContent = duration(nowMs - startMs);
  }

  function showLevels(levels) {
    for (const meter of meters.children) {
      const db = levels[Number(meter.dataset.channel)] ?? SILENCE_DB;
      const share = Math.max(0, Math.min(1, 1 - db / SILENCE_DB));
      meter.querySelector('.level').style.transform = `scaleX(${share.toFixed(3)})`;
    }
  }

  function showListening(words, goesOn) {
    listenButton.textContent = goesOn ? 'Stop listening' : 'Listen';
    hearing.textContent = words;
  }

  function end() {
    element.classList.add('ended');
    element.replaceChildren(
      el('div', { class: 'headline' }, heading, clock),
      el('p', {}, 'Ended. ', el('a', { href: `#/r/${encodeURIComponent(id)}` }, 'Open the recording')),
    );
    setTimeout(() => element.remove(), 20_000);
  }

  return card;
}

/** Whoever is heard on the left has called. */
function withSides({ participants, streams }) {
  const sided = participants.map((party) => {
    const channel = streams.find(({ participantId }) => participantId === party.participantId)?.channel ?? null;
    return { ...party, channel, role: ['caller', 'callee'][channel] ?? 'other' };
  });
  return inOrder(sided);
}

const sideName = (channel) => ['Left', 'Right'][channel] ?? `Channel ${channel + 1}`;

function stateOf(streams) {
  if (streams.length > 0 && streams.every(({ paused }) => paused)) return ' – paused';
  if (streams.length > 0 && streams.every(({ receiving }) => !receiving)) return ' – on hold';
  if (streams.every(({ lastPacketMs }) => lastPacketMs === null)) return ' – nothing heard yet';
  return '';
}
