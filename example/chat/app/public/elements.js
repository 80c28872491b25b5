// Makes the elements of the page. Text of users is inserted as text nodes, never as HTML.

export const at = (id) => document.getElementById(id);

/** Returns a new element. Strings among the children become text nodes. */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Returns a disc with the first letter of the nickname, in a colour computed from it. */
export function avatar(nickname) {
  const disc = element('span', { class: 'avatar', 'aria-hidden': 'true' }, [...nickname][0].toUpperCase());
  const hue = [...nickname].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  disc.style.setProperty('--hue', hue);
  return disc;
}

/** Replaces the rows of a list. The focus stays on the row with the same `data-key`. */
export function replaceRows(list, rows) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  list.replaceChildren(...rows);
  for (const target of list.querySelectorAll('[data-key]')) if (target.dataset.key === focused) target.focus();
}
