// Resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload): pieces, progress, pause, and going on after a reload.

import { csrf, Problem } from '../console/http.js';

const VERSION = '1.0.0';
/** Milliseconds before each further try of a piece. */
const PAUSES = [500, 1000, 3000, 8000, 20000, 30000];

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

/** Where an upload is remembered: the same file to the same place goes on where it was. */
function fingerprint({ bucket, key, file }) {
  return `holdfast-upload:${bucket}:${key}:${file.size}:${file.lastModified}`;
}

function remembered(name) {
  try { return localStorage.getItem(name); } catch { return null; } // private windows
}

function remember(name, address) {
  try {
    if (address) localStorage.setItem(name, address); else localStorage.removeItem(name);
  } catch { /* it then begins again after a reload */ }
}

/** How many uploads of this browser are not finished. */
export function unfinished(bucket) {
  try { return Object.keys(localStorage).filter((name) => name.startsWith(`holdfast-upload:${bucket}:`)).length; } catch { return 0; }
}

function send(method, url, headers, body, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries({ 'tus-resumable': VERSION, 'x-csrf-token': csrf(), accept: 'application/json', ...headers })) {
      request.setRequestHeader(name, value);
    }
    if (onProgress) request.upload.onprogress = (event) => onProgress(event.loaded);
    const abort = () => request.abort();
    const over = (settle, value) => { signal?.removeEventListener('abort', abort); settle(value); };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) { over(resolve, request); return; }
      let told = null;
      try { told = JSON.parse(request.responseText); } catch { /* an empty or foreign answer */ }
      over(reject, new Problem(request.status, told));
    };
    request.onerror = () => over(reject, new Problem(0, { detail: 'network' }));
    request.onabort = () => over(reject, new DOMException('aborted', 'AbortError'));
    if (signal?.aborted) { reject(new DOMException('aborted', 'AbortError')); return; }
    signal?.addEventListener('abort', abort);
    request.send(body);
  });
}

/** Whether trying again may help: no connection, a busy server, another writer. */
const mayPass = (problem) => problem instanceof Problem && [0, 409, 423, 429, 500, 502, 503, 504].includes(problem.status);

/**
 * Uploads `file` as `key` of `bucket`; `endpoint` is where uploads begin, `piece` bytes of a request.
 * `onProgress(bytes)`; `signal` pauses it: called again, it goes on. Rejects with a Problem.
 */
export async function upload({ endpoint, bucket, key, file, piece, onProgress = () => {}, signal }) {
  const name = fingerprint({ bucket, key, file });
  let address = remembered(name);
  let offset = 0;
  if (address) {
    try {
      offset = await offsetOf(address, signal);
    } catch (problem) {
      if (!(problem instanceof Problem) || mayPass(problem)) throw problem;
      address = null; // expired, or given up
    }
  }
  if (!address) {
    const metadata = { bucket, key, filetype: file.type || 'application/octet-stream' };
    const text = Object.entries(metadata).map(([field, value]) => `${field} ${base64(value)}`).join(',');
    const begun = await send('POST', endpoint, { 'upload-length': String(file.size), 'upload-metadata': text }, null, null, signal);
    // The page's own address of the server: behind a proxy the other one may not be reachable from here.
    address = new URL(begun.getResponseHeader('location'), new URL(endpoint, location.href)).pathname;
    remember(name, address);
    offset = 0;
    onProgress(0);
  }
  let tries = 0;
  while (offset < file.size) {
    onProgress(offset);
    const begin = offset;
    const body = file.slice(begin, Math.min(begin + piece, file.size));
    const headers = { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(begin) };
    try {
      const done = await send('PATCH', address, headers, body, (loaded) => onProgress(begin + loaded), signal);
      offset = Number(done.getResponseHeader('upload-offset'));
      tries = 0;
    } catch (problem) {
      if (!mayPass(problem) || tries >= PAUSES.length) {
        if (problem instanceof Problem && !mayPass(problem)) remember(name, null);
        throw problem;
      }
      await wait(PAUSES[tries]);
      tries += 1;
      try { offset = await offsetOf(address, signal); } catch (again) { if (!mayPass(again)) throw again; }
    }
  }
  remember(name, null);
  onProgress(file.size);
}

async function offsetOf(address, signal) {
  const found = await send('HEAD', address, {}, null, null, signal);
  return Number(found.getResponseHeader('upload-offset'));
}

/** Gives an upload up, here and on the server. */
export async function cancel({ bucket, key, file }) {
  const name = fingerprint({ bucket, key, file });
  const address = remembered(name);
  remember(name, null);
  if (address) await send('DELETE', address, {}, null).catch(() => {}); // it expires otherwise
}
