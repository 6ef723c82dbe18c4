// The playground: sends questions without leaving the page and shows answers as they are written. When an answer has
// ended, the server's own rendering of the conversation replaces what was shown: one place turns text into HTML.

import { prepare } from '../console/console.js';
import { api, csrf } from '../console/http.js';
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

async function conversation() {
  if (!chat.dataset.conversation) {
    const made = await api('POST', `/api/v1/agents/${agent}/conversations`, {});
    chat.dataset.conversation = made.id;
    history.replaceState(null, '', `/agents/${agent}/conversations/${made.id}`);
  }
  return chat.dataset.conversation;
}

/** Replaces the messages by what the server shows now. */
async function reload() {
  const response = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const aside = page.querySelector('.chat-split > aside');
  chat.replaceChildren(...page.getElementById('chat').childNodes);
  prepare(aside);
  document.querySelector('.chat-split > aside').replaceWith(aside);
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

async function answer(path, body, begun) {
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
    paragraph.textContent = written;
    if (follow) toBottom();
  };
  try {
    await stream(path, {
      body: { ...body, stream: true },
      onEvent: ({ event, data }) => {
        const value = JSON.parse(data);
        if (event === 'start') {
          taken = true;
          base = value.message.content;
        } else if (event === 'delta') show(written + value.text);
        else if (event === 'thinking') thoughts(bubble).append(value.text);
        else if (event === 'rewrite') {
          thoughts(bubble).textContent = value.thinking;
          show(value.text.startsWith(base) ? value.text.slice(base.length) : value.text);
        }
      },
    });
    await reload(); // shows how it ended, also where it failed
    status.textContent = [...chat.querySelectorAll('.message.assistant')].at(-1)?.querySelector('.banner, .prose')?.textContent ?? '';
    return true;
  } catch (error) {
    if (!begun) bubble.remove();
    if (begun || taken) await reload().catch(() => {});
    fail(error);
    return taken;
  } finally {
    busy(false);
    toBottom();
    text.focus({ preventScroll: true });
  }
}

async function ask() {
  const content = text.value.trim();
  if (!content || text.readOnly) return;
  text.value = '';
  grow();
  chat.querySelector('.empty')?.remove();
  for (const old of chat.querySelectorAll('[data-not-sent]')) old.remove();
  document.querySelector('[data-flash]')?.remove(); // what it said was about the page before the question
  const bubble = element('<div class="message user"></div>');
  bubble.textContent = content;
  chat.append(bubble);
  let sent = false;
  try {
    const id = await conversation();
    sent = await answer(`/api/v1/agents/${agent}/conversations/${id}/messages`, { content });
  } catch (error) {
    fail(error);
  }
  // A question that was not taken goes back to where it was written.
  if (!sent && !text.value) {
    bubble.remove();
    text.value = content;
    grow();
  }
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
stop.addEventListener('click', () => {
  fetch(`/api/v1/agents/${agent}/conversations/${chat.dataset.conversation}/stop`, { method: 'POST', headers: { 'x-csrf-token': csrf() } });
});
chat.addEventListener('submit', (event) => {
  const message = event.target.closest('.message');
  const again = event.target.matches('[data-regenerate]');
  if (!again && !event.target.matches('[data-continue]')) return;
  event.preventDefault();
  if (text.readOnly) return;
  if (again) message.remove();
  answer(`/api/v1/agents/${agent}/conversations/${chat.dataset.conversation}/${again ? 'regenerate' : 'continue'}`, {}, again ? undefined : message);
});
if (chat.querySelector('.message')) toBottom();
