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

function fail(message) {
  const note = element('<p class="banner error" role="alert"></p>');
  note.textContent = `${chat.dataset.textFailed} ${message}`;
  chat.append(note);
  toBottom();
}

async function answer(path, body) {
  const bubble = element('<div class="message assistant streaming"><span class="avatar" aria-hidden="true"></span><div class="prose"><p></p></div></div>');
  const paragraph = bubble.querySelector('p');
  paragraph.textContent = chat.dataset.textThinking;
  paragraph.className = 'muted';
  chat.append(bubble);
  toBottom();
  busy(true);
  status.textContent = chat.dataset.textThinking;
  let written = '';
  let failed = '';
  try {
    await stream(path, {
      body: { ...body, stream: true },
      onEvent: ({ event, data }) => {
        const value = JSON.parse(data);
        if (event === 'delta') {
          const follow = nearBottom();
          written += value.text;
          paragraph.className = 'streamed';
          paragraph.textContent = written;
          if (follow) toBottom();
        } else if (event === 'end') {
          failed = value.error ?? '';
        }
      },
    });
    await reload();
    status.textContent = [...chat.querySelectorAll('.message.assistant .prose')].at(-1)?.textContent ?? '';
    if (failed) fail(failed);
  } catch (error) {
    bubble.remove();
    fail(error.message);
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
  document.querySelector('[data-flash]')?.remove(); // what it said was about the page before the question
  const bubble = element('<div class="message user"></div>');
  bubble.textContent = content;
  chat.append(bubble);
  try {
    const id = await conversation();
    await answer(`/api/v1/agents/${agent}/conversations/${id}/messages`, { content });
  } catch (error) {
    text.value = content;
    fail(error.message);
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
  if (!event.target.matches('[data-regenerate]')) return;
  event.preventDefault();
  event.target.closest('.message').remove();
  answer(`/api/v1/agents/${agent}/conversations/${chat.dataset.conversation}/regenerate`, {});
});
if (chat.querySelector('.message')) toBottom();
