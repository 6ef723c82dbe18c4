// The drop zone of a knowledge base: uploads files to the API one by one with progress; the table of documents shows
// their processing. Without this module the form posts all files at once.

import { update } from '../console/live.js';
import { dropzone, inParallel, upload } from '../console/upload.js';

const form = document.querySelector('form[data-upload]');
// Translated rejection reasons; empty if the reader's language is the server's (English).
const refusals = JSON.parse(form?.dataset.refusals ?? '{}');

function line(file) {
  const item = document.createElement('div');
  item.className = 'upload';
  const name = Object.assign(document.createElement('span'), { className: 'clip', textContent: file.name });
  const note = Object.assign(document.createElement('small'), { className: 'muted' });
  const bar = Object.assign(document.createElement('progress'), { className: 'progress', max: 1, value: 0 });
  bar.setAttribute('aria-label', file.name);
  item.append(name, note, bar);
  form.querySelector('.uploads').append(item);
  return { item, note, bar };
}

async function send(file) {
  const { item, note, bar } = line(file);
  try {
    const added = await upload(form.dataset.upload, file, {
      onProgress: (done) => {
        bar.value = done;
        note.textContent = `${Math.round(done * 100)} %`;
      },
    });
    if (added?.duplicate) {
      note.textContent = form.dataset.duplicate;
      bar.remove();
    } else {
      item.remove();
    }
  } catch (problem) {
    bar.remove();
    note.className = 'note-error';
    const reason = refusals[problem.errors?.[0]?.code] ?? refusals[problem.code] ?? problem.message;
    note.textContent = problem.status === 0 ? form.dataset.network : reason;
    return;
  }
  await update();
}

if (form) {
  form.querySelector('[data-without-script]').hidden = true;
  dropzone(form.querySelector('.dropzone'), (files) => inParallel(files, 2, send));
}
