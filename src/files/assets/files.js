// The page of a bucket: files and folders that are dropped or chosen are uploaded with progress, three at a time; each can be paused and given up.
// Without this module the form posts all files at once.

import { update } from '../console/live.js';
import { dropzone, inParallel } from '../console/upload.js';
import { cancel, unfinished, upload } from './upload.js';

const AT_ONCE = 3;
const form = document.querySelector('form[data-tus]');

/** Files of a dropped entry with their paths, folders and all below them. */
async function below(entry, path = '') {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    return [{ file, path: path + file.name }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader gives at most a hundred at a time, and nothing at the end.
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) break;
    for (const one of some) found.push(...await below(one, `${path}${entry.name}/`));
  }
  return found;
}

/** What a button does, and with which file. */
function label(button, text, path) {
  button.textContent = text;
  button.setAttribute('aria-label', `${text}: ${path}`);
}

function line(path) {
  const item = Object.assign(document.createElement('div'), { className: 'upload' });
  const name = Object.assign(document.createElement('span'), { className: 'clip', textContent: path });
  const note = Object.assign(document.createElement('small'), { className: 'muted', textContent: form.dataset.waiting });
  const bar = Object.assign(document.createElement('progress'), { className: 'progress', max: 1, value: 0 });
  bar.setAttribute('aria-label', path);
  const button = (text) => Object.assign(document.createElement('button'), { type: 'button', className: 'button ghost small', textContent: text });
  const pause = button(form.dataset.pause);
  const stop = button(form.dataset.cancel);
  label(pause, form.dataset.pause, path);
  label(stop, form.dataset.cancel, path);
  const actions = Object.assign(document.createElement('div'), { className: 'actions' });
  actions.append(pause, stop);
  item.append(name, note, actions, bar);
  form.querySelector('.uploads').append(item);
  return { item, note, bar, pause, stop };
}

/** An upload and its line on the page. */
function task({ file, path }) {
  const key = decodeURIComponent(form.dataset.prefix) + path;
  const { item, note, bar, pause, stop } = line(path);
  let control = null;
  let given = false;
  let resume = null;
  const fail = (text) => { note.className = 'note-error'; note.textContent = text; bar.remove(); pause.remove(); };
  stop.addEventListener('click', async () => {
    given = true;
    control?.abort();
    resume?.();
    item.remove();
    await cancel({ bucket: form.dataset.bucket, key, file });
  });
  pause.addEventListener('click', () => {
    if (resume) { resume(); return; }
    control?.abort();
  });
  const once = () => {
    control = new AbortController();
    return upload({
      endpoint: form.dataset.tus,
      bucket: form.dataset.bucket,
      key,
      file,
      piece: Number(form.dataset.piece),
      signal: control.signal,
      onProgress: (bytes) => {
        const share = file.size ? bytes / file.size : 1;
        bar.value = share;
        note.textContent = `${Math.floor(share * 100)} %`;
      },
    });
  };
  return async () => {
    if (file.size > Number(form.dataset.limit)) { fail(form.dataset.tooLarge); return; }
    for (;;) {
      if (given) return;
      try {
        await once();
        break;
      } catch (problem) {
        if (given) return;
        if (problem.name !== 'AbortError') { fail(problem.status === 0 ? form.dataset.network : problem.message); return; }
        label(pause, form.dataset.resume, path);
        await new Promise((go) => { resume = go; });
        resume = null;
        label(pause, form.dataset.pause, path);
      }
    }
    item.remove();
    await update();
  };
}

function start(found) {
  const tasks = found.map(task);
  inParallel(tasks, AT_ONCE, (run) => run());
}

if (form) {
  const zone = form.querySelector('.dropzone');
  form.querySelector('[data-without-script]').hidden = true;
  form.querySelector('[data-with-script]').hidden = false;
  const named = (files) => files.map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  // Folders are in the entries of a drop alone: taken before the field takes the files.
  zone.addEventListener('drop', (event) => {
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.some((entry) => entry.isDirectory)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    zone.classList.remove('over');
    Promise.all(entries.map((entry) => below(entry))).then((lists) => start(lists.flat()));
  });
  dropzone(zone, (files) => start(named(files)));
  const folder = Object.assign(document.createElement('input'), { type: 'file', multiple: true, webkitdirectory: true, hidden: true });
  form.append(folder);
  form.querySelector('[data-choose-folder]').addEventListener('click', () => folder.click());
  folder.addEventListener('change', () => { const files = [...folder.files]; folder.value = ''; start(named(files)); });
  // A file that is dropped beside the field would be opened by the browser, and the page with its uploads be gone.
  for (const kind of ['dragover', 'drop']) document.addEventListener(kind, (event) => event.preventDefault());
  const open = unfinished(form.dataset.bucket);
  if (open) {
    const note = Object.assign(document.createElement('p'), { className: 'note', textContent: form.dataset.open });
    form.querySelector('.uploads').before(note);
  }
}
