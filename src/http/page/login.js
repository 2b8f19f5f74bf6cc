// The form for a token. A login link needs no form.
import { logIn } from './api.js';
import { el, fill } from './dom.js';

export function showLogin(main, entered, why = null) {
  document.title = 'Log in – sipreel';
  const problem = el('p', { class: 'bad-text', role: 'alert', id: 'login-problem' }, why);
  const token = el('input', {
    id: 'token',
    type: 'password',
    required: true,
    autocomplete: 'current-password',
    maxlength: 256,
    'aria-describedby': 'login-problem login-help',
  });
  const button = el('button', { class: 'main' }, 'Log in');
  const form = el(
    'form',
    { class: 'login', onsubmit: submit },
    el('img', { src: '/icon.svg', alt: '', width: 48, height: 48 }),
    el('h1', {}, 'sipreel'),
    problem,
    el('label', { for: 'token' }, 'Token'),
    token,
    button,
    el(
      'p',
      { id: 'login-help', class: 'soft' },
      'On the machine of the recorder, ',
      el('code', {}, 'sipreel token link'),
      ' prints a link that needs no token, and ',
      el('code', {}, 'sipreel token create NAME'),
      ' makes a token.',
    ),
  );

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = '';
    try {
      entered(await logIn({ token: token.value.trim() }));
    } catch (error) {
      problem.textContent = error.message;
      token.focus();
    } finally {
      button.disabled = false;
    }
  }

  fill(main, form);
  token.focus();
}
