// Search as you type. What is asked stands in the address, so that it can be kept, sent and gone back to.
import { get } from './api.js';
import { el, failure, fill, isTyping, say } from './dom.js';
import { day, duration, flags, inOrder, partyAddress, partyName, SOURCES, STATES, time } from './words.js';

const PAUSE_IN_TYPING_MS = 200;
const PAGE_SIZE = 50;
const LENGTHS = { 60000: '1 minute and more', 600000: '10 minutes and more', 3600000: '1 hour and more' };
/** What is typed of a header field asks for nothing before its value begins. */
const HEADER = /[^:\s]+:\s*\S.*/;
const LOSSES = { 1: '1 % and more', 5: '5 % and more', 20: '20 % and more' };

/** Returns what ends the view. */
export function showSearch(main, asked) {
  document.title = 'Recordings – sipreel';
  const list = el('ol', { class: 'recordings', 'aria-label': 'Recordings' });
  const state = el('div', { class: 'state' });
  const form = searchForm(asked);
  let running = new AbortController();
  let typing = 0;
  let shownDay = '';

  fill(main, el('h1', { class: 'for-ears' }, 'Recordings'), form, list, state);
  form.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(begin, PAUSE_IN_TYPING_MS);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(typing);
    begin();
  });
  form.addEventListener('reset', () => setTimeout(begin));
  document.addEventListener('keydown', onKey);
  begin();
  if (asked.has('focus')) document.getElementById('search-text').focus();

  function begin() {
    const conditions = conditionsOf(form);
    history.replaceState(null, '', conditions.size > 0 ? `#/?${conditions}` : '#/');
    // 'reset' is for people who have set something.
    form.querySelector('[type=reset]').hidden = conditions.size === 0;
    shownDay = '';
    void load(conditions, null);
  }

  async function load(conditions, after) {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    fill(state, el('p', { class: 'loading', role: 'status' }, 'Searching…'));
    list.setAttribute('aria-busy', 'true');
    const question = questionOf(conditions, after);
    try {
      const { items, next } = await get(`/api/recordings?${question}`, signal);
      if (!after) list.replaceChildren();
      const first = list.querySelectorAll('a').length;
      for (const item of items) append(item);
      fill(state, ending(conditions, items.length, next));
      const links = list.querySelectorAll('a');
      say(links.length === 0 ? 'Nothing found' : `${links.length} recordings${next ? ', and more' : ''}`);
      if (after) links[first]?.focus();
    } catch (error) {
      if (error.name === 'AbortError') return;
      if (!after) list.replaceChildren();
      fill(
        state,
        failure(error, () => void load(conditions, after)),
      );
    } finally {
      if (!signal.aborted) list.removeAttribute('aria-busy');
    }
  }

  function append(item) {
    const date = day(item.times.start);
    if (date !== shownDay) list.append(el('li', { class: 'day' }, el('h2', {}, date)));
    shownDay = date;
    list.append(el('li', {}, row(item)));
  }

  function ending(conditions, found, next) {
    if (next)
      return el('button', { type: 'button', class: 'more', onclick: () => void load(conditions, next) }, 'Show more');
    if (list.childElementCount > 0) return null;
    if (found === 0 && conditions.size > 0) {
      return el('p', { class: 'empty' }, 'No recording fits. Take a condition away, or write less of a name.');
    }
    return el(
      'div',
      { class: 'empty' },
      el('p', {}, 'There is no recording yet.'),
      el(
        'p',
        { class: 'soft' },
        'Point a SIPREC client here, or run ',
        el('code', {}, 'sipreel demo'),
        ' to hear one.',
      ),
    );
  }

  function onKey(event) {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const links = [...list.querySelectorAll('a')];
    const at = links.indexOf(document.activeElement);
    if (at < 0 && event.key.startsWith('Arrow')) return;
    event.preventDefault();
    const next = at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step));
    links[next]?.focus();
  }

  return () => {
    running.abort();
    clearTimeout(typing);
    document.removeEventListener('keydown', onKey);
  };
}

function row(item) {
  const [caller, ...others] = inOrder(item.participants);
  return el(
    'a',
    { href: `#/r/${encodeURIComponent(item.id)}`, class: 'row' },
    el('time', { datetime: item.times.start }, time(item.times.start)),
    el(
      'span',
      { class: 'parties' },
      caller ? party(caller) : el('span', {}, 'Unknown parties'),
      others.length > 0 && el('span', { class: 'arrow', 'aria-label': 'to' }, '→'),
      others.slice(0, 3).map(party),
      others.length > 3 && el('span', { class: 'soft' }, `and ${others.length - 3} more`),
    ),
    el(
      'span',
      { class: 'marks' },
      flags(item).map(({ words, grade }) => el('span', { class: `mark ${grade}` }, words)),
      item.tags.map((tag) => el('span', { class: 'mark tag' }, tag)),
    ),
    el('span', { class: 'source soft' }, SOURCES[item.source] ?? item.source),
    el('span', { class: 'length' }, item.audio ? duration(item.times.durationMs) : '–'),
  );
}

function party(one) {
  return el('span', { class: 'party' }, el('b', {}, partyName(one)), el('small', {}, partyAddress(one)));
}

function searchForm(asked) {
  const more = [...asked.keys()].some((name) => name !== 'text' && name !== 'focus');
  return el(
    'form',
    { class: 'search', role: 'search' },
    el(
      'div',
      { class: 'words' },
      el('input', {
        id: 'search-text',
        name: 'text',
        type: 'search',
        value: asked.get('text') ?? '',
        placeholder: 'Names, addresses, tags, notes, identifiers',
        'aria-label': 'Search',
        maxlength: 200,
        autocomplete: 'off',
      }),
      el('button', { type: 'reset', class: 'quiet', hidden: true }, 'Clear'),
    ),
    el(
      'details',
      { open: more },
      el('summary', {}, 'Filters'),
      el(
        'div',
        { class: 'filters' },
        field(
          'Number',
          el('input', { name: 'number', value: asked.get('number') ?? '', maxlength: 200, inputmode: 'tel' }),
        ),
        field('From', el('input', { name: 'from', type: 'date', value: asked.get('from') ?? '' })),
        field('Until', el('input', { name: 'to', type: 'date', value: asked.get('to') ?? '' })),
        field('State', choice('state', STATES, asked)),
        field('Source', choice('source', SOURCES, asked)),
        field('Length', choice('minDurationMs', LENGTHS, asked)),
        field('Packets lost', choice('minLossPercent', LOSSES, asked)),
        field('Tag', el('input', { name: 'tag', value: asked.get('tag') ?? '', maxlength: 64 })),
        field('Group', el('input', { name: 'group', value: asked.get('group') ?? '', maxlength: 200 })),
        field(
          'Header field',
          el('input', {
            name: 'header',
            value: asked.get('header') ?? '',
            maxlength: 200,
            placeholder: 'X-Tenant: 4711',
            pattern: HEADER.source,
            title: 'Name, colon, and the whole value',
          }),
        ),
        tick('silentSide', 'One side silent', asked),
        tick('held', 'On legal hold', asked),
      ),
    ),
  );
}

const field = (words, control) => el('label', {}, el('span', {}, words), control);

const tick = (name, words, asked) =>
  el(
    'label',
    { class: 'tick' },
    el('input', { type: 'checkbox', name, value: 'true', checked: asked.get(name) === 'true' }),
    words,
  );

function choice(name, options, asked) {
  return el(
    'select',
    { name },
    el('option', { value: '' }, 'Any'),
    Object.entries(options).map(([value, words]) =>
      el('option', { value, selected: asked.get(name) === value }, words),
    ),
  );
}

function conditionsOf(form) {
  const conditions = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim() !== '') conditions.set(name, value.trim());
  return conditions;
}

/** Days are those of whoever looks; the API is asked for moments. */
function questionOf(conditions, after) {
  const question = new URLSearchParams(conditions);
  question.set('limit', String(PAGE_SIZE));
  const midnight = (date, plusDays) => {
    const [year, month, dayOfMonth] = date.split('-').map(Number);
    return new Date(year, month - 1, dayOfMonth + plusDays).toISOString();
  };
  if (question.has('from')) question.set('from', midnight(question.get('from'), 0));
  if (question.has('to')) question.set('to', midnight(question.get('to'), 1));
  if (question.has('header') && !HEADER.test(question.get('header'))) question.delete('header');
  if (after) question.set('after', after);
  return question;
}
