// Enhancements of every page, on top of working HTML: theme, menus, messages, confirm dialogs, copy buttons, local times,
// filters. Everything is found by attribute and works again after a part of the page was replaced.

const lang = document.documentElement.lang;
const words = document.body.dataset;

// --- theme: at once, and remembered by the same form that works without this --------------------------------------

document.addEventListener('submit', (event) => {
  const button = event.submitter;
  if (button?.name !== 'theme' || !event.target.matches('.preferences')) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target, button));
  document.documentElement.dataset.theme = button.value;
  for (const other of document.querySelectorAll('.preferences [name="theme"]')) {
    other.setAttribute('aria-pressed', String(other.value === button.value));
  }
  fetch(event.target.action, { method: 'POST', body, redirect: 'manual' });
});

// --- menus: close on Escape and on a click elsewhere ----------------------------------------------------------------

const openMenus = () => document.querySelectorAll('details.menu[open], details.drawer[open]');
document.addEventListener('click', (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector('summary').focus();
  }
});

// --- confirm: the panel of <details data-confirm> as a dialog ---------------------------------------------------------

function confirmInDialog(details) {
  const panel = details.querySelector('.confirm-panel');
  const dialog = document.createElement('dialog');
  dialog.className = 'dialog';
  const cancel = Object.assign(document.createElement('button'), { type: 'button', className: 'button', textContent: words.cancel });
  cancel.addEventListener('click', () => dialog.close());
  panel.querySelector('.actions').prepend(cancel);
  dialog.append(panel);
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => {
    cancel.remove();
    details.append(panel);
    dialog.remove();
    details.querySelector('summary').focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  cancel.focus();
}

// --- copy -------------------------------------------------------------------------------------------------------------

async function copy(button) {
  const source = button.dataset.copy
    ? document.querySelector(button.dataset.copy)
    : button.closest('.code')?.querySelector('code');
  const text = source?.value ?? source?.textContent ?? '';
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http to another machine has no clipboard: select the text, so that one keystroke copies it.
    getSelection().selectAllChildren(source);
    return;
  }
  const label = button.querySelector('span') ?? button;
  const before = label.textContent;
  label.textContent = words.copied;
  setTimeout(() => { label.textContent = before; }, 1500);
}

document.addEventListener('click', (event) => {
  const summary = event.target.closest('[data-confirm] > summary');
  if (summary) {
    event.preventDefault();
    confirmInDialog(summary.parentElement);
  }
  const copier = event.target.closest('[data-copy]');
  if (copier) copy(copier);
  const closer = event.target.closest('[data-close]');
  if (closer) closer.closest('[data-flash], dialog')?.remove();
});

// --- times: "5 minutes ago", with the viewer's own clock in the tooltip -----------------------------------------------

const relative = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat(lang, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' });
const day = new Intl.DateTimeFormat(lang, { dateStyle: 'medium' });
const STEPS = [['second', 60], ['minute', 60], ['hour', 24], ['day', 7]];

function spoken(date) {
  let value = (date - Date.now()) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(value) < size) return relative.format(Math.round(value), unit);
    value /= size;
  }
  return day.format(date);
}

function showTimes(root) {
  for (const element of root.querySelectorAll('time[datetime]')) {
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.valueOf())) continue;
    const text = spoken(date);
    element.title = absolute.format(date);
    // A text that is replaced by itself would lose its selection.
    if (element.textContent !== text) element.textContent = text;
  }
}
setInterval(() => showTimes(document), 30_000);

// --- forms ------------------------------------------------------------------------------------------------------------

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-autosubmit] select')) event.target.form.requestSubmit();
});

// One click, one request: a second press while the first is under way does nothing. A preview goes into a frame: the form stays.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== 'post' || event.submitter?.formTarget) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = 'true';
  event.submitter?.setAttribute('aria-busy', 'true');
});
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
    form.querySelector('[aria-busy]')?.removeAttribute('aria-busy');
  }
});

// <input data-filter="selector"> hides elements that do not contain its words.
document.addEventListener('input', (event) => {
  const selector = event.target.dataset?.filter;
  if (!selector) return;
  const wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const element of document.querySelectorAll(selector)) {
    const text = element.textContent.toLowerCase();
    element.hidden = !wanted.every((word) => text.includes(word));
  }
});

// --- start ------------------------------------------------------------------------------------------------------------

/** Makes a new part of the page live; modules that insert markup call it. */
export function prepare(root) {
  showTimes(root);
  for (const element of root.querySelectorAll('[data-copy][hidden], [data-filter][hidden]')) element.hidden = false;
}

/** A short message in the corner. `tone`: ok, warn, error. */
export function toast(text, tone = 'ok') {
  let corner = document.querySelector('.toasts');
  if (!corner) {
    corner = Object.assign(document.createElement('div'), { className: 'toasts', role: 'status' });
    document.body.append(corner);
  }
  const item = Object.assign(document.createElement('p'), { className: `toast ${tone}`, textContent: text });
  corner.append(item);
  setTimeout(() => item.remove(), 6000);
}

prepare(document);
if (location.hash) {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.matches('details')) target.open = true;
}
addEventListener('hashchange', () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.matches('details')) target.open = true;
});
