// Who is logged in, and which view the address asks for: #/ (search), #/live, #/r/ID; #login=CODE logs in.
import { currentSession, get, logIn, logOut } from './api.js';
import { el, failure, fill, isTyping } from './dom.js';
import { showLive } from './live.js';
import { showLogin } from './login.js';
import { showRecording } from './recording.js';
import { showSearch } from './search.js';

const COUNT_EVERY_MS = 5_000;

const main = document.getElementById('main');
const top = document.getElementById('top');
let session = null;
/** Ends what the view before has running. */
let leave = () => {};

async function start() {
  const code = /^#login=(.+)$/.exec(location.hash)?.[1];
  // A code works once and is nothing for the history.
  if (code) history.replaceState(null, '', '#/');
  try {
    session = code ? await logIn({ code: decodeURIComponent(code) }) : await currentSession();
    if (session) enter();
    else showLogin(main, entered);
  } catch (error) {
    if (error.status === 401) showLogin(main, entered, error.message);
    else fill(main, failure(error, start));
  }
}

function entered(opened) {
  session = opened;
  enter();
}

function enter() {
  top.hidden = false;
  fill(document.getElementById('who'), session.name, el('small', {}, session.role));
  route();
  countLive();
}

function left() {
  if (!session) return;
  session = null;
  leave();
  leave = () => {};
  top.hidden = true;
  showLogin(main, entered, 'You are logged out.');
}

function route() {
  if (!session) return;
  leave();
  const [path, query = ''] = location.hash.replace(/^#/, '').split('?', 2);
  const id = /^\/r\/(.+)$/.exec(path)?.[1];
  const view = id ? 'recording' : path === '/live' ? 'live' : 'recordings';
  for (const link of top.querySelectorAll('[data-view]')) {
    if (link.dataset.view === view || (view === 'recording' && link.dataset.view === 'recordings')) {
      link.setAttribute('aria-current', 'page');
    } else link.removeAttribute('aria-current');
  }
  scrollTo(0, 0);
  if (id) leave = showRecording(main, session, decodeURIComponent(id));
  else if (view === 'live') leave = showLive(main, session, showCount);
  else leave = showSearch(main, new URLSearchParams(query));
}

async function countLive() {
  if (!session) return;
  if (!document.hidden && location.hash !== '#/live') {
    try {
      showCount((await get('/api/live')).items.length);
    } catch {
      showCount(0);
    }
  }
  clearTimeout(countLive.timer);
  countLive.timer = setTimeout(countLive, COUNT_EVERY_MS);
}

function showCount(count) {
  const badge = document.getElementById('live-count');
  badge.hidden = count === 0;
  badge.textContent = String(count);
}

window.addEventListener('hashchange', () => {
  if (location.hash.startsWith('#login=')) void start();
  else if (location.hash !== '#main') route();
});
window.addEventListener('logged-out', left);
document.getElementById('logout').addEventListener('click', async () => {
  await logOut().catch(() => {});
  left();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || isTyping(event) || event.ctrlKey || event.metaKey || !session) return;
  event.preventDefault();
  const field = document.getElementById('search-text');
  if (field) field.focus();
  else location.hash = '#/?focus';
});

void start();
