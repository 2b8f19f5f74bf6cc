// Tags, notes and the legal hold.
import { ask, may } from './api.js';
import { el, fill, say } from './dom.js';
import { day, time } from './words.js';

const moment = (ms) => `${day(new Date(ms))}, ${time(new Date(ms))}`;

export function showAnnotations(section, session, address, annotations) {
  const problem = el('p', { class: 'bad-text', role: 'alert' });
  const mayWrite = may(session, 'manage');

  async function change(method, path, body, done, focus) {
    problem.textContent = '';
    try {
      show(await ask(method, `${address}${path}`, { body }));
      say(done);
      section.querySelector(focus)?.focus();
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  function show({ tags, notes, hold }) {
    fill(section, el('h2', {}, 'Tags, notes and hold'), tagLine(tags), noteList(notes), holdLine(hold), problem);
  }

  function tagLine(tags) {
    const without = (tag) =>
      change('PUT', '/tags', { tags: tags.filter((one) => one !== tag) }, 'Tag removed', '#new-tag');
    const field = el('input', {
      id: 'new-tag',
      maxlength: 64,
      'aria-label': 'New tag',
      placeholder: 'New tag',
      autocomplete: 'off',
    });
    return el(
      'form',
      {
        class: 'tags',
        onsubmit: (event) => {
          event.preventDefault();
          const tag = field.value.trim();
          if (tag) void change('PUT', '/tags', { tags: [...tags, tag] }, 'Tag added', '#new-tag');
        },
      },
      tags.length === 0 && el('span', { class: 'soft' }, 'No tags'),
      tags.map((tag) =>
        el(
          'span',
          { class: 'mark tag' },
          tag,
          mayWrite &&
            el(
              'button',
              { type: 'button', class: 'remove', 'aria-label': `Remove the tag ${tag}`, onclick: () => without(tag) },
              '×',
            ),
        ),
      ),
      mayWrite && [field, el('button', {}, 'Add tag')],
    );
  }

  function noteList(notes) {
    const field = el('textarea', {
      id: 'new-note',
      rows: 2,
      maxlength: 4000,
      'aria-label': 'New note',
      placeholder: 'New note',
    });
    return [
      el(
        'ul',
        { class: 'notes' },
        notes.map(({ noteId, text, by, atMs }) =>
          el(
            'li',
            {},
            el('p', {}, text),
            el('small', {}, `${by}, ${moment(atMs)}`),
            mayWrite &&
              el(
                'button',
                {
                  type: 'button',
                  class: 'link',
                  onclick: () =>
                    change('DELETE', `/notes/${encodeURIComponent(noteId)}`, undefined, 'Note removed', '#new-note'),
                },
                'Remove',
              ),
          ),
        ),
      ),
      mayWrite &&
        el(
          'form',
          {
            class: 'note',
            onsubmit: (event) => {
              event.preventDefault();
              const text = field.value.trim();
              if (text) void change('POST', '/notes', { text }, 'Note added', '#new-note');
            },
          },
          field,
          el('button', {}, 'Add note'),
        ),
    ];
  }

  function holdLine(hold) {
    if (hold) {
      return el(
        'p',
        { class: 'hold' },
        el('b', {}, 'On legal hold'),
        ` since ${moment(hold.sinceMs)} by ${hold.by}${hold.reason ? `: ${hold.reason}` : ''}. It cannot be deleted. `,
        may(session, 'admin') &&
          el(
            'button',
            {
              type: 'button',
              id: 'hold',
              onclick: () => change('DELETE', '/hold', undefined, 'Hold taken away', '#hold-reason'),
            },
            'Take the hold away',
          ),
      );
    }
    if (!mayWrite) return null;
    const reason = el('input', {
      id: 'hold-reason',
      maxlength: 1000,
      'aria-label': 'Reason of the hold',
      placeholder: 'Reason',
      autocomplete: 'off',
    });
    return el(
      'form',
      {
        class: 'tags',
        onsubmit: (event) => {
          event.preventDefault();
          void change('PUT', '/hold', { reason: reason.value.trim() || null }, 'Put on hold', '#hold');
        },
      },
      reason,
      el('button', {}, 'Put on legal hold'),
    );
  }

  show(annotations);
}
