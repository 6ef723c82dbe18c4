// Server-sent events over fetch: EventSource can neither post nor be told which request it is.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

import { csrf, problem } from './http.js';

/** Splits text that arrives in any pieces into events. `push(text)` returns those that are now complete. */
export class EventParser {
  #rest = '';
  #event = '';
  #id = '';
  #data = [];

  push(text) {
    const events = [];
    this.#rest += text;
    // A carriage return at the very end may be half of CRLF: it waits for the next piece.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line) {
    if (line === '') {
      const event = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
      const complete = this.#data.length > 0;
      this.#event = '';
      this.#data = [];
      return complete ? event : null;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return null; // a comment: the heartbeat
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id') this.#id = value;
    return null;
  }
}

/**
 * Posts `body` as JSON (or gets, without a body) and calls `onEvent({event, data, id})` in order until the stream ends.
 * Throws a Problem for an answer that is not 2xx; an aborted `signal` rejects with AbortError.
 */
export async function stream(url, { body, signal, onEvent }) {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { accept: 'text/event-stream', 'x-csrf-token': csrf(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await problem(response);
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    for (const event of parser.push(value)) await onEvent(event);
  }
}
