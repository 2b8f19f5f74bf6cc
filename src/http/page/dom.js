// Elements are made here and nowhere else. Text becomes text nodes, never markup: names come from strangers.

/**
 * `on…` are listeners, `class`, `value`, `checked` and the like what they are called; null and false leave an attribute out.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|number|null|false|undefined|Array)} children
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'htmlFor') element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  put(element, children);
  return element;
}

/** Replaces the content. */
export function fill(element, ...children) {
  element.replaceChildren();
  put(element, children);
  return element;
}

function put(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Tells those who listen to the page. */
export function say(text) {
  document.getElementById('said').textContent = text;
}

/** True while keys belong to what has the focus. */
export function isTyping({ target }) {
  return target instanceof HTMLElement && target.closest('input, select, textarea, [contenteditable], dialog') !== null;
}

/**
 * Asks before something that cannot be undone. Resolves with true, or with false for "no".
 * @param {{title: string, text: string, yes: string}} question
 */
export function confirmed({ title, text, yes }) {
  return new Promise((resolve) => {
    const dialog = el(
      'dialog',
      { 'aria-labelledby': 'question', onclose: () => answer(dialog.returnValue === 'yes') },
      el('h2', { id: 'question' }, title),
      el('p', {}, text),
      el(
        'form',
        { method: 'dialog', class: 'buttons' },
        el('button', { value: 'no', autofocus: true }, 'Cancel'),
        el('button', { value: 'yes', class: 'danger' }, yes),
      ),
    );
    const answer = (value) => {
      dialog.remove();
      resolve(value);
    };
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** What went wrong, with another try where that may help. */
export function failure(error, retry) {
  return el(
    'div',
    { class: 'notice bad', role: 'alert' },
    el('p', {}, error.message),
    retry && el('button', { type: 'button', onclick: retry }, 'Try again'),
  );
}
