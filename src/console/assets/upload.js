// Uploads with progress. XMLHttpRequest, because fetch cannot report how much of a body has left.

import { csrf, Problem } from './http.js';

/**
 * Posts one file as multipart `file` (with `fields` before it). `onProgress(0..1)`; `signal` cancels.
 * Resolves to the decoded JSON answer, rejects with a Problem.
 */
export function upload(url, file, { fields = {}, onProgress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append('file', file, file.name);
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.setRequestHeader('accept', 'application/json');
    request.setRequestHeader('x-csrf-token', csrf());
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      let body = null;
      try { body = JSON.parse(request.responseText); } catch { /* an empty or foreign answer */ }
      if (request.status >= 200 && request.status < 300) resolve(body);
      else reject(new Problem(request.status, body));
    };
    request.onerror = () => reject(new Problem(0, { detail: 'network' }));
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}

/** Runs `task(item)` for each item, at most `width` at a time. */
export async function inParallel(items, width, task) {
  const queue = [...items];
  const lane = async () => { while (queue.length) await task(queue.shift()); };
  await Promise.all(Array.from({ length: Math.min(width, queue.length) }, lane));
}

/**
 * A `.dropzone` label around an `<input type="file">`: `onFiles(File[])` for files that are dropped or chosen.
 * Without this module the input posts with its form.
 */
export function dropzone(zone, onFiles) {
  const input = zone.querySelector('input[type="file"]');
  zone.classList.add('live'); // the whole field is the button now: the stylesheet hides the input's own, which speaks the browser's language
  const stop = (event) => event.preventDefault();
  let depth = 0;
  zone.addEventListener('dragenter', (event) => { stop(event); depth += 1; zone.classList.add('over'); });
  zone.addEventListener('dragover', stop);
  zone.addEventListener('dragleave', () => { depth -= 1; if (depth === 0) zone.classList.remove('over'); });
  zone.addEventListener('drop', (event) => {
    stop(event);
    depth = 0;
    zone.classList.remove('over');
    const files = [...event.dataTransfer.files];
    if (files.length) onFiles(files);
  });
  input.addEventListener('change', () => {
    const files = [...input.files];
    input.value = '';
    if (files.length) onFiles(files);
  });
}
