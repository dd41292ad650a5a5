/* What every page has: text size, account menu, dialogs, toasts, copying, countdowns, steppers and
 * the guard against sending a form twice. Loads the larger modules only where a page uses them. */

import { toast, word } from "./words.js";

const MODULES = { "[data-live-topic]": "./board.js", "form[data-checkin]": "./checkin.js", "[data-scan]": "./scan.js", "[data-map]": "./map.js" };

async function wake() {
  for (const [selector, module] of Object.entries(MODULES)) {
    if (document.querySelector(selector)) (await import(module)).wake();
  }
  for (const dialog of document.querySelectorAll("dialog.result[open]:not(:modal)")) {
    dialog.close();
    dialog.showModal(); // an answer from the server: keep the focus in it
  }
}

// ── text size ──
document.querySelector("[data-text-size]")?.addEventListener("click", (event) => {
  const large = document.documentElement.dataset.text !== "large";
  if (large) document.documentElement.dataset.text = "large";
  else delete document.documentElement.dataset.text;
  event.currentTarget.setAttribute("aria-pressed", String(large));
  document.cookie = `linli_text=${large ? "large" : ""}; path=/; max-age=${large ? 31536000 : 0}; samesite=lax`;
});

// ── clicks ──
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const button = event.target.closest?.("[data-open-dialog], [data-close-dialog], [data-copy], [data-print], [data-step]");
  if (!button) return;
  const { openDialog, copy, step } = button.dataset;
  if (openDialog) document.getElementById(openDialog)?.showModal();
  else if ("closeDialog" in button.dataset) button.closest("dialog")?.close();
  else if (copy !== undefined) copyText(copy || button.textContent.trim());
  else if ("print" in button.dataset) globalThis.print();
  else if (step) {
    const input = button.parentElement.querySelector("input");
    const least = input.min === "" ? -Infinity : Number(input.min);
    const most = input.max === "" ? Infinity : Number(input.max);
    input.value = String(Math.min(most, Math.max(least, Number(input.value || 0) + Number(step))));
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
});

// The tab one is on is in view, however many there are.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 16;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(word("copied"));
  } catch {
    toast(text); // no clipboard without TLS: show it, so that it can be copied by hand
  }
}

// ── a form is sent once ──
const sent = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.dataset.noGuard !== undefined) return;
  if ([...form.getAttributeNames()].some((name) => name.startsWith("hx-"))) return; // htmx: hx-sync, hx-disabled-elt
  if (sent.has(form)) return event.preventDefault();
  sent.add(form);
  event.submitter?.setAttribute("aria-busy", "true");
});
// A page that answered a form would be sent again by "reload", and "back" to it would ask whether to
// (a wrong code costs a try). As a plain entry of the history it is fetched instead.
// "Back" fetches a form anew: it keeps the key it was shown with, so that sending it again is a repeat.
const once = document.querySelector("input[data-once]");
if (once && history.state?.once) once.value = history.state.once;
history.replaceState(once ? { ...history.state, once: once.value } : history.state, "", location.href);
globalThis.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // "back" must not show yesterday's board or a spent form
});

// ── what htmx and the server say ──
document.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value, event.detail.kind));
document.addEventListener("htmx:responseError", () => toast(word("failed"), "error"));
document.addEventListener("htmx:sendError", () => toast(word("noNetwork"), "error"));
document.addEventListener("htmx:load", wake);

// ── countdowns: <span data-until="2025-01-01T20:00:00Z">0:30</span> ──
setInterval(() => {
  for (const box of document.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.round((new Date(box.dataset.until) - Date.now()) / 1000));
    box.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
}, 1000);

// ── network, on pages without live parts (board.js knows better on the others) ──
for (const name of ["online", "offline"]) {
  globalThis.addEventListener(name, () => {
    const box = document.getElementById("connection");
    if (!box || document.querySelector("[data-live-topic]")) return;
    box.dataset.state = name === "offline" ? "offline" : "idle";
    box.querySelector(".connection__text").textContent = name === "offline" ? box.dataset.offline : "";
  });
}

wake();
