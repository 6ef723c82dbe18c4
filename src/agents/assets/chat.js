// The playground: sends questions without leaving the page and shows answers as they are written. When an answer has
// ended, the server's own rendering of the conversation replaces what was shown: one place turns text into HTML.

import { prepare } from '../console/console.js';
import { api, Problem } from '../console/http.js';
import { stream } from '../console/sse.js';

const chat = document.getElementById('chat');
const composer = document.querySelector('[data-composer]');
const text = composer.querySelector('textarea');
const send = composer.querySelector('[data-send]');
const stop = composer.querySelector('[data-stop]');
const agent = chat.dataset.agent;
// Read out by screen readers: that it works on it, then the whole answer at once, not every word that arrives.
const status = document.querySelector('[data-chat-status]');

const element = (html) => {
  const template = document.createElement('template');
  template.innerHTML = html.trim();
  return template.content.firstChild;
};

// The end of the conversation, not of the page: on a phone the list of conversations stands below it.
const nearBottom = () => chat.getBoundingClientRect().bottom < window.innerHeight + 160;
const toBottom = () => chat.scrollIntoView({ block: 'end' });

function busy(on) {
  send.hidden = on;
  stop.hidden = !on;
  text.readOnly = on; // not disabled: that would take the focus away
  chat.setAttribute('aria-busy', String(on));
}

const path = () => `/api/v1/agents/${agent}/conversations/${chat.dataset.conversation}`;
// A beginning that is sent twice is made once. No `crypto.randomUUID`: browsers have it on https only.
const beginning = `${Date.now()}-${Math.random()}`;

async function conversation() {
  if (!chat.dataset.conversation) {
    const made = await api('POST', `/api/v1/agents/${agent}/conversations`, {}, { headers: { 'idempotency-key': beginning } });
    chat.dataset.conversation = made.id;
    history.replaceState(null, '', `/agents/${agent}/conversations/${made.id}`);
  }
}

/** Replaces the messages by what the server shows now; false where it does not. */
async function reload() {
  const response = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (!response.ok || response.redirected) return false;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const aside = page.querySelector('.chat-split > aside');
  chat.replaceChildren(...page.getElementById('chat').childNodes);
  prepare(aside);
  document.querySelector('.chat-split > aside').replaceWith(aside);
  return true;
}

// A question of which it is not known whether the server has it, and the questions that were there before.
let unsure = null;

const questions = () => new Set([...chat.querySelectorAll('.message.user[data-message]')].map((one) => one.dataset.message));

/** Shows a question that arrived although sending it failed; false where it did not arrive. Throws while the server does not say. */
async function hasArrived({ content, before }) {
  if (!chat.dataset.conversation) return false;
  const { messages } = await api('GET', path());
  if (!messages.some((one) => one.role === 'user' && !before.has(one.id) && one.content.trim() === content)) return false;
  unsure = null;
  if (text.value.trim() === content) {
    text.value = '';
    grow();
  }
  if (!(await reload())) location.reload();
  status.textContent = chat.dataset.textArrived;
  return true;
}

const reasons = JSON.parse(chat.dataset.reasons);

/** What went wrong, in the reader's language: a known code in words of its own, everything else without the server's English. */
function why(error) {
  const code = error.code || (error instanceof TypeError ? 'offline' : '');
  return reasons[code] ?? (code ? `${reasons.other} (${code})` : reasons.other);
}

function fail(error) {
  const note = element('<p class="banner error" role="alert" data-not-sent></p>');
  note.textContent = why(error);
  chat.append(note);
  toBottom();
}

/** Marks that turn the writing direction around are written out: what is read must be what is there. */
const seen = (words) => words.replace(/[\u202a-\u202e\u2066-\u2069]/g, (c) => `[U+${c.codePointAt(0).toString(16).toUpperCase()}]`);

/** The bubble of an answer that is being written; `begun` is one that goes on. */
function bubbleOf(begun) {
  const bubble = begun ?? element('<div class="message assistant streaming"><span class="avatar" aria-hidden="true"></span><div class="prose"></div></div>');
  bubble.classList.add('streaming');
  for (const old of bubble.querySelectorAll('.banner, .message-meta')) old.remove();
  const paragraph = element('<p class="muted"></p>');
  paragraph.textContent = chat.dataset.textSearching;
  bubble.querySelector('.prose').append(paragraph);
  if (!begun) chat.append(bubble);
  return { bubble, paragraph };
}

/** Where thinking is shown: folded, above the text. */
function thoughts(bubble) {
  const there = bubble.querySelector('details.thinking > .thought');
  if (there) return there;
  const details = element('<details class="thinking"><summary></summary><div class="thought"></div></details>');
  details.firstChild.textContent = chat.dataset.textThinking;
  bubble.querySelector('.prose').before(details);
  return details.lastChild;
}

/** What is known of the sources before the first word of the answer. */
function warn(bubble, { citations }) {
  if (!citations.length || !citations.every((one) => one.weak)) return;
  const note = element('<p class="banner warn" data-only-weak></p>');
  note.textContent = chat.dataset.textOnlyWeak;
  bubble.querySelector('.prose').before(note);
}

/**
 * Shows an answer as it is written. `begun` is one that goes on, `replaced` one that is made anew. Tells whether the server took the
 * request (`taken`), or refused it (`refused`); neither where the connection broke off before.
 */
async function answer(to, body, { begun, replaced } = {}) {
  const { bubble, paragraph } = bubbleOf(begun);
  toBottom();
  busy(true);
  status.textContent = chat.dataset.textSearching;
  let written = '';
  let base = '';
  let taken = false;
  const show = (text) => {
    const follow = nearBottom();
    written = text;
    paragraph.className = 'streamed';
    paragraph.textContent = seen(written);
    if (follow) toBottom();
  };
  try {
    await stream(to, {
      body: { ...body, stream: true },
      onEvent: ({ event, data }) => {
        const value = JSON.parse(data);
        if (event === 'start') {
          taken = true;
          base = value.message.content;
        } else if (event === 'delta') show(written + value.text);
        else if (event === 'sources') warn(bubble, value);
        else if (event === 'thinking') thoughts(bubble).append(seen(value.text));
        else if (event === 'rewrite') {
          thoughts(bubble).textContent = seen(value.thinking);
          show(value.text.startsWith(base) ? value.text.slice(base.length) : value.text);
        }
      },
    });
    await reload(); // shows how it ended, also where it failed
    status.textContent = [...chat.querySelectorAll('.message.assistant')].at(-1)?.querySelector('.banner, .prose')?.textContent ?? '';
    return { taken: true };
  } catch (error) {
    const fresh = (begun || replaced || taken) && (await reload().catch(() => false));
    if (!fresh) {
      // What came stays in view; so does the answer that should have been made anew.
      if (taken || begun) bubble.classList.remove('streaming');
      else bubble.remove();
      if (replaced) replaced.hidden = false;
    }
    fail(error);
    return { taken, refused: error instanceof Problem && error.status >= 400 && error.status < 500 };
  } finally {
    busy(false);
    toBottom();
    text.focus({ preventScroll: true });
  }
}

async function ask() {
  const content = text.value.trim();
  if (!content || text.readOnly) return;
  const before = questions();
  for (const old of chat.querySelectorAll('[data-not-sent]')) old.remove();
  if (unsure?.content === content) {
    text.readOnly = true;
    try {
      if (await hasArrived(unsure)) return;
    } catch (error) {
      return fail(error);
    } finally {
      text.readOnly = false;
    }
  }
  text.value = '';
  grow();
  chat.querySelector('.empty')?.remove();
  document.querySelector('[data-flash]')?.remove(); // what it said was about the page before the question
  const bubble = element('<div class="message user"></div>');
  bubble.textContent = content;
  chat.append(bubble);
  let sent = { refused: true };
  try {
    await conversation();
    sent = await answer(`${path()}/messages`, { content });
  } catch (error) {
    fail(error);
  }
  if (sent.taken) return;
  // A question that was not taken goes back to where it was written.
  if (!text.value) {
    bubble.remove();
    text.value = content;
    grow();
  }
  if (sent.refused) return;
  // It may have arrived all the same: then it is shown, and not sent again.
  unsure = { content, before };
  hasArrived(unsure).catch(() => {});
}

function grow() {
  text.rows = Math.min(8, Math.max(1, text.value.split('\n').length));
}

composer.addEventListener('submit', (event) => {
  event.preventDefault();
  ask();
});
text.addEventListener('input', grow);
text.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    composer.requestSubmit();
  }
});
stop.addEventListener('click', () => api('POST', `${path()}/stop`).catch(fail));
window.addEventListener('online', () => unsure && hasArrived(unsure).catch(() => {}));
chat.addEventListener('submit', (event) => {
  const message = event.target.closest('.message');
  const again = event.target.matches('[data-regenerate]');
  if (!again && !event.target.matches('[data-continue]')) return;
  event.preventDefault();
  if (text.readOnly) return;
  message.hidden = again;
  answer(`${path()}/${again ? 'regenerate' : 'continue'}`, {}, again ? { replaced: message } : { begun: message });
});
if (chat.querySelector('.message')) toBottom();
