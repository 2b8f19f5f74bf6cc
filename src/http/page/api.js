// The HTTP API as the page uses it: same origin, cookie, and the session's token with every change.

let csrfToken = null;

/** An answer that says no, or none at all (status 0). */
export class Refusal extends Error {
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Rejects with a Refusal; a 401 is told to the whole page as well. */
export async function ask(method, path, { body, signal } = {}) {
  const headers = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET' && csrfToken !== null) headers['x-csrf-token'] = csrfToken;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal('The recorder does not answer. It may be stopped, or the network is down.', 0, 'UNREACHABLE');
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  if (response.status === 401 && path !== '/api/session') window.dispatchEvent(new Event('logged-out'));
  const message = answer?.detail ?? answer?.title ?? `The recorder answers ${response.status}.`;
  throw new Refusal(message, response.status, answer?.code ?? 'UNKNOWN');
}

export const get = (path, signal) => ask('GET', path, { signal });

/** Null if nobody is logged in. */
export async function currentSession() {
  try {
    return remember(await get('/api/session'));
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}

/** @param {{token: string}|{code: string}} credentials */
export async function logIn(credentials) {
  return remember(await ask('POST', '/api/session', { body: credentials }));
}

export async function logOut() {
  await ask('DELETE', '/api/session');
  csrfToken = null;
}

const ROLES = ['listen', 'manage', 'admin'];
export const may = (session, role) => ROLES.indexOf(session.role) >= ROLES.indexOf(role);

function remember(session) {
  csrfToken = session.csrfToken;
  return session;
}
