// Calls to our own server: JSON in and out, the page's CSRF token, problem documents as errors.

/** The token of this page, for `fetch` and multipart forms. */
export const csrf = () => document.querySelector('meta[name="csrf"]')?.content ?? '';

/** An answer that is not 2xx: `status`, stable `code`, `message`, and `errors` (pointer, detail) for a form. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || body?.error?.message || `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? '';
    this.errors = body?.errors ?? [];
  }
}

/** Turns a failed response into a Problem; reads its body. */
export async function problem(response) {
  return new Problem(response.status, await response.json().catch(() => null));
}

/** `await api('DELETE', '/api/v1/...')`; resolves to the decoded JSON, or null without a body. */
export async function api(method, path, body, options = {}) {
  const headers = { accept: 'application/json', 'x-csrf-token': csrf(), ...options.headers };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(path, {
    ...options, method, headers, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw await problem(response);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}
