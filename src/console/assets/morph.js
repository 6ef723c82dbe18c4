// Changes a part of the page in place into what the server has sent: only what differs is touched, so that focus, scrolling, open menus and typed
// text stay. A child stays itself: found by its `data-key` or `id`, without one by its place.

/** Attributes that are the page's own, not the server's. */
const OURS = new Set(['open', 'aria-busy', 'data-sent']);

const key = (node) => node.dataset?.key || node.id || '';
const isLike = (one, other) => one.nodeName === other.nodeName && !key(one) && !key(other);

function takeAttributes(now, fresh) {
  for (const { name } of [...now.attributes]) if (!fresh.hasAttribute(name) && !OURS.has(name)) now.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
}

function remove(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** Makes `now` like `fresh`. */
export function change(now, fresh) {
  if (now.isEqualNode(fresh)) return;
  if (now.nodeType !== Node.ELEMENT_NODE) {
    now.nodeValue = fresh.nodeValue;
    return;
  }
  takeAttributes(now, fresh);
  const wanted = new Set([...fresh.children].map(key).filter(Boolean));
  const known = new Map([...now.children].filter(key).map((child) => [key(child), child]));
  let at = now.firstChild;
  for (const child of [...fresh.childNodes]) {
    const namesake = known.get(key(child));
    // What is gone, and the spaces around it.
    while (at && at !== namesake && !wanted.has(key(at)) && (key(at) || namesake)) at = remove(at);
    const same = namesake ?? (at && isLike(at, child) ? at : null);
    if (same && same === at) at = at.nextSibling;
    else now.insertBefore(same ?? child, at);
    if (same) change(same, child);
  }
  while (at) at = remove(at);
}
