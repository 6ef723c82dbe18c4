// The live part of a page (console/live.rs): asked for again every `data-live` seconds while the page is visible, and changed in
// place. Only what differs is touched, so focus, scrolling, open menus and typed text stay; while text in it is selected or a
// dialog is open, it waits. The line above says when the server does not answer, and why updating has ended.

import { prepare } from './console.js';
import { change } from './morph.js';

const LONGEST_PAUSE = 60; // seconds
const PATIENCE = 20_000; // milliseconds

const note = document.querySelector('[data-live-page]');
const part = note && document.querySelector('[data-live]');

let timer = 0;
let failures = 0;
let etag = '';
let ended = !part;
// Answers may overtake each other: an older one than the last shown is dropped.
let asked = 0;
let shown = 0;

// --- the line above ---------------------------------------------------------------------------------------------------

/** `text` is read out; `seen` shows it too, and `offer` adds the link that loads the page again. */
function tell(text, { seen = false, offer = false } = {}) {
  const status = note.querySelector('[role="status"]');
  if (status.textContent !== text) status.textContent = text;
  note.querySelector('a').hidden = !offer;
  note.classList.toggle('sr-only', !seen && !offer);
  note.dataset.script = '';
}

function end(text) {
  ended = true;
  clearTimeout(timer);
  tell(text, { seen: true, offer: true });
}

// --- changing in place ------------------------------------------------------------------------------------------------

/** The badges of the status; not how far it is, which would be read out at each step. */
const statusOf = (element) => [...element.querySelectorAll('[data-status] .badge')].map((badge) => badge.textContent).join(', ');

/** Shows the part as the server sent it, and returns its status if that is another now. Throws if it is something else. */
function show(html) {
  const fresh = new DOMParser().parseFromString(html, 'text/html').getElementById(part.id);
  if (!fresh) throw new Error('not the part that was asked for');
  prepare(fresh);
  const before = statusOf(part);
  const focused = document.activeElement;
  change(part, fresh);
  // What was moved lost the focus; what is gone leaves it to the content.
  if (document.activeElement !== focused) (focused.isConnected ? focused : document.getElementById('main')).focus({ preventScroll: true });
  const status = statusOf(part);
  return status === before ? '' : status;
}

function isInUse() {
  const selection = getSelection();
  const isSelected = selection.rangeCount > 0 && !selection.isCollapsed && selection.containsNode(part, true);
  return isSelected || document.querySelector('dialog[open]') !== null;
}

// --- asking -----------------------------------------------------------------------------------------------------------

/** Asks once. `anew`: not for what the server told another page within the last second. */
async function ask(anew) {
  const turn = ++asked;
  const headers = { 'x-live': note.dataset.livePage };
  if (etag) headers['if-none-match'] = etag;
  if (anew) headers['cache-control'] = 'no-cache';
  const response = await fetch(note.querySelector('a').href, { headers, redirect: 'manual', signal: AbortSignal.timeout(PATIENCE) });
  const { status } = response;
  if (ended) return;
  if (status === 401 || response.type === 'opaqueredirect') return end(note.dataset.signedOut);
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return end(note.dataset.outdated);
  if (!response.ok && status !== 304) {
    throw Object.assign(new Error(`HTTP ${status}`), { after: Number(response.headers.get('retry-after')) || 0 });
  }
  const html = await response.text();
  if (ended || turn < shown) return;
  const news = status === 304 ? '' : show(html);
  if (status !== 304) etag = response.headers.get('etag') ?? '';
  shown = turn;
  failures = 0;
  // What is finished changes no more, but the rest of the page may have.
  tell(news, { offer: !part.hasAttribute('data-live') });
}

/** The next turn, not at the same moment as other pages'. */
function wait(seconds) {
  clearTimeout(timer);
  if (ended || !part.hasAttribute('data-live')) return;
  timer = setTimeout(() => turn(false), seconds * 1000 * (0.9 + 0.2 * Math.random()));
}

async function turn(anew) {
  clearTimeout(timer);
  if (ended || document.hidden) return;
  const seconds = Math.max(1, Number(part.dataset.live) || 5);
  if (!anew && isInUse()) return wait(seconds);
  try {
    await ask(anew);
    wait(Math.max(1, Number(part.dataset.live) || 5));
  } catch (error) {
    failures += 1;
    // A single request may be lost, as when a laptop wakes up.
    if (failures > 1) tell(note.dataset.away, { seen: true });
    wait(Math.max(error.after ?? 0, Math.min(LONGEST_PAUSE, seconds * 2 ** failures)));
  }
}

/** Shows at once what the person has just changed. */
export async function update() {
  if (!ended) await turn(true);
}

if (note) tell('');
if (part) {
  wait(Number(part.dataset.live));
  document.addEventListener('visibilitychange', () => turn(false));
  addEventListener('online', () => turn(false));
}
