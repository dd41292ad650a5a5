/* The check-in button (templates/components/checkin.html): reads the position once, sends it with a
 * key that makes a second tap harmless, and says the verdict. Where the position can't be read, it
 * asks for the code at the meeting point. A tap without network is kept and sent later. */

import { sendOnce, unsent } from "./send.js";
import { say } from "./words.js";

const POSITION_WITHIN_MS = 15_000;
const member = () => document.body.dataset.member ?? "";
const slotOf = (form) => (form.dataset.retype ? `code:${form.dataset.retype}` : `checkin:${form.dataset.seat}:${form.dataset.kind}`);
const typedOf = (form) => `linli:typed:${form.dataset.retype}`;

export function wake() {
  for (const form of document.querySelectorAll("form[data-checkin]")) {
    if (form.dataset.awake) continue;
    form.dataset.awake = "yes";
    // Until now a tap would have sent the bare form.
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      checkIn(form);
    });
    form.querySelector("[data-checkin-use-code]")?.addEventListener("click", () => offerCode(form, null));
    if (form.dataset.retype) restore(form);
    if (unsent(slotOf(form), member())) resend(form);
  }
}

globalThis.addEventListener?.("online", () => {
  for (const form of document.querySelectorAll("form[data-checkin]")) {
    if (unsent(slotOf(form), member())) resend(form);
  }
});

async function checkIn(form) {
  if (form.dataset.busy) return;
  const pending = unsent(slotOf(form), member());
  const occurred_at = new Date().toISOString(); // when it was tapped, not when it arrives
  busy(form, true);
  try {
    if (pending) return await deliver(form, pending.body);
    const code = form.elements.code?.value.trim() ?? "";
    if (form.dataset.retype) return code ? await deliver(form, { code }) : form.elements.code.focus();
    let position = {};
    if (!code || navigator.geolocation) {
      status(form, "locating");
      try {
        position = await locate(code ? 4000 : POSITION_WITHIN_MS);
      } catch (error) {
        if (!code) return offerCode(form, error.code === 1 ? "position-refused" : "position-missing");
      }
    }
    await deliver(form, {
      seat: Number(form.dataset.seat),
      kind: form.dataset.kind,
      occurred_at,
      ...position,
      ...(code ? { code } : {}),
    });
  } finally {
    busy(form, false);
  }
}

async function resend(form) {
  if (form.dataset.busy) return;
  busy(form, true);
  try {
    await deliver(form, unsent(slotOf(form), member())?.body);
  } finally {
    busy(form, false);
  }
}

async function deliver(form, body) {
  status(form, "sending");
  const { retype } = form.dataset;
  const url = retype ? `/api/v1/checkins/${retype}/code` : form.dataset.url || "/api/v1/checkins";
  const answer = await sendOnce({ slot: slotOf(form), url, body, member: member() });
  if (answer.outcome === "done" && answer.data.retypes_left > 0) {
    askAgain(form, answer.data.id);
  } else if (answer.outcome === "done") {
    const verdict = answer.data.verdict === "review" ? "review" : "accepted";
    const reasons = (answer.data.reasons ?? []).map((code) => say(form, code) ?? "").filter(Boolean);
    status(form, verdict, reasons.join(" "), verdict === "review" ? "warning" : "success");
    form.querySelector("button[type=submit]")?.setAttribute("disabled", "");
    const from = form.isConnected ? form : document.body;
    from.dispatchEvent(new CustomEvent("checkin:done", { bubbles: true, detail: answer.data }));
  } else if (answer.outcome === "refused") {
    const { code, detail, title, data } = answer.problem;
    const words = say(form, code, { ...answer.problem, ...data }) ?? detail ?? title ?? say(form, "refused");
    status(form, null, words, "error");
    if (["bad_code", "wrong_code", "position_needed"].includes(code)) offerCode(form, null);
    form.dispatchEvent(new CustomEvent("checkin:refused", { bubbles: true, detail: answer.problem }));
    if (code === "code_settled") form.dispatchEvent(new CustomEvent("checkin:done", { bubbles: true, detail: {} }));
  } else {
    status(form, answer.reason === "signed_out" ? "signed-out" : answer.reason === "network" ? "kept" : "busy", "", "warning");
    if (answer.after) setTimeout(() => unsent(slotOf(form), member()) && resend(form), answer.after * 1000);
  }
}

function locate(timeout) {
  return new Promise((resolve, reject) => {
    if (!navigator.geolocation) return reject(Object.assign(new Error("none"), { code: 2 }));
    navigator.geolocation.getCurrentPosition(
      ({ coords }) =>
        resolve({
          lat: Number(coords.latitude.toFixed(6)),
          lon: Number(coords.longitude.toFixed(6)),
          accuracy_m: Math.ceil(coords.accuracy),
        }),
      reject,
      { enableHighAccuracy: true, timeout, maximumAge: 10_000 },
    );
  });
}

function offerCode(form, why) {
  const box = form.querySelector("[data-checkin-code]");
  if (!box) return;
  box.hidden = false;
  form.querySelector("[data-checkin-use-code]")?.setAttribute("hidden", "");
  if (why) status(form, why, "", "warning");
  box.querySelector("input")?.focus();
}

/* The check-in is noted, its code was mistyped: the form stays, for the code alone. */
function askAgain(sent, id) {
  // The part may have been drawn again while the answer was on its way.
  const form = sent.isConnected ? sent : document.querySelector(`form[data-retype="${id}"]`) ?? sent;
  if (form !== sent) form.elements.code.value = sent.elements.code.value;
  form.dataset.retype = id;
  for (const part of form.querySelectorAll(".btn-giant, .btn-giant ~ .row, [data-checkin-use-code]")) part.hidden = true;
  offerCode(form, null);
  status(form, "code-again", "", "warning");
  const input = form.elements.code;
  input.setAttribute("aria-invalid", "true");
  input.select();
  try {
    // The page draws itself again when the check-in is told to it: what was typed comes along.
    sessionStorage.setItem(typedOf(form), input.value);
  } catch {
    // no storage: it is typed anew
  }
}

function restore(form) {
  const input = form.elements.code;
  try {
    input.value ||= sessionStorage.getItem(typedOf(form)) ?? "";
  } catch {
    // no storage
  }
  if (document.activeElement === document.body) {
    input.focus();
    input.select();
  }
}

function status(form, code, more = "", kind = "info") {
  const box = form.querySelector("[data-checkin-status]");
  if (!box) return;
  box.className = `notice notice--${kind}`;
  box.hidden = false;
  box.textContent = [code && (say(form, code) ?? ""), more].filter(Boolean).join(" ");
}

function busy(form, is) {
  if (is) form.dataset.busy = "yes";
  else delete form.dataset.busy;
  for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-busy", String(is));
}
