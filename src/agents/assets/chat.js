// The playground: sends questions without leaving the page and shows answers as they are written. When an answer has
// ended, the server's rendering of the conversation replaces it, so that only the server turns text into HTML.

import { prepare } from '../console/console.js';
import { api, Problem } from '../console/http.js';
import { stream } from '../console/sse.js';

const chat = document.getElementById('chat');
const composer = document.querySelector('[data-composer]');
const text = composer.querySelector('textarea');
const send = composer.querySelector('[data-send]');
const stop = composer.querySelector('[data-stop]');
const agent = chat.dataset.agent;
// For screen readers: announces that the answer is in progress, then the whole answer at once instead of every word.
const status = document.querySelector('[data-chat-status]');

const element = (html) => {
  const template = document.createElement('template');
  template.innerHTML = html.trim();
  return template.content.firstChild;
};

// The end of the conversation, not of the page: on a phone the list of conversations follows it.
const nearBottom = () => chat.getBoundingClientRect().bottom < window.innerHeight + 160;
const toBottom = () => chat.scrollIntoView({ block: 'end' });

function busy(on) {
  send.hidden = on;
  stop.hidden = !on;
  text.readOnly = on; // not disabled: that would lose the focus
  chat.setAttribute('aria-busy', String(on));
}

const path = () => `/api/v1/agents/${agent}/conversations/${chat.dataset.conversation}`;
// Idempotency key: a conversation created twice exists once. Not `crypto.randomUUID`: browsers have it on https only.
const beginning = `${Date.now()}-${Math.random()}`;

async function conversation() {
  if (!chat.dataset.conversation) {
    const made = await api('POST', `/api/v1/agents/${agent}/conversations`, {}, { headers: { 'idempotency-key': beginning } });
    chat.dataset.conversation = made.id;
    history.replaceState(null, '', `/agents/${agent}/conversations/${made.id}`);
  }
}

/** Replaces the messages with the server's current rendering; false if that fails. */
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

// A question that may or may not have reached the server, and the questions before it.
let unsure = null;

const questions = () => new Set([...chat.querySelectorAll('.message.user[data-message]')].map((one) => one.dataset.message));

/** Shows a question that arrived although sending it failed; false if it did not arrive. Throws while the server cannot be asked. */
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

/** The error in the reader's language: the text of a known code, else a general one instead of the server's English. */
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

/** Makes characters that change the writing direction visible, so that the text reads as it is. */
const seen = (words) => words.replace(/[\u202a-\u202e\u2066-\u2069]/g, (c) => `[U+${c.codePointAt(0).toString(16).toUpperCase()}]`);

/** The bubble of an answer in progress; `begun` is one that is being continued. */
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

/** The element for thinking: folded, above the text. */
function thoughts(bubble) {
  const there = bubble.querySelector('details.thinking > .thought');
  if (there) return there;
  const details = element('<details class="thinking"><summary></summary><div class="thought"></div></details>');
  details.firstChild.textContent = chat.dataset.textThinking;
  bubble.querySelector('.prose').before(details);
  return details.lastChild;
}

/** Notes about the sources, before the first word of the answer. */
function warn(bubble, { citations }) {
  if (!citations.length || !citations.every((one) => one.weak)) return;
  const note = element('<p class="banner warn" data-only-weak></p>');
  note.textContent = chat.dataset.textOnlyWeak;
  bubble.querySelector('.prose').before(note);
}

/**
 * Shows an answer as it is written. `begun` is one that is being continued, `replaced` one that is being regenerated. Returns whether
 * the server accepted the request (`taken`) or refused it (`refused`); neither if the connection broke off before.
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
    await reload(); // shows how it ended, failures included
    status.textContent = [...chat.querySelectorAll('.message.assistant')].at(-1)?.querySelector('.banner, .prose')?.textContent ?? '';
    return { taken: true };
  } catch (error) {
    const fresh = (begun || replaced || taken) && (await reload().catch(() => false));
    if (!fresh) {
      // The text so far stays in view; so does the answer that was to be regenerated.
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
  document.querySelector('[data-flash]')?.remove(); // it was about the page before the question
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
  // A question that was not accepted goes back into the form.
  if (!text.value) {
    bubble.remove();
    text.value = content;
    grow();
  }
  if (sent.refused) return;
  // It may have arrived nevertheless: then show it instead of sending it again.
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
