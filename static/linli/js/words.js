/* Words live in the templates (data-attributes), where they are translated. */

/** "data-say-too-early" of `element` for code "too_early"; {x} is filled from `values`. */
export function say(element, code, values = {}) {
  const name = `data-say-${String(code).replace(/[._\s]+/g, "-").toLowerCase()}`;
  const text = element.getAttribute(name);
  return text === null ? null : fill(text, values);
}

export function fill(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (_, key) => values?.[key] ?? "");
}

/** A word that every page has (#words in base.html). */
export function word(name) {
  return document.getElementById("words")?.dataset[name] ?? "";
}

/** Read `text` out to screen readers without moving the focus. */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (!region || !text) return;
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 60); // an unchanged text would not be read again
}

/** A short message at the edge of the screen; it is read out and goes away by itself. */
export function toast(text, kind = "") {
  const region = document.getElementById("toasts");
  if (!region || !text) return;
  const box = document.createElement("p");
  box.className = kind === "error" ? "toast toast--error" : "toast";
  box.textContent = text;
  region.append(box);
  setTimeout(() => box.remove(), Math.max(5000, text.length * 90));
}
