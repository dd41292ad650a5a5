/* The check-in button (templates/components/checkin.html): reads the position once, sends it with a
 * key that makes a second tap harmless, and says the verdict. Where the position can't be read, it
 * asks for the code at the meeting point. A tap without network is kept and sent later. */

import { sendOnce, unsent } from "./send.js";
import { say } from "./words.js";

const POSITION_WITHIN_MS = 15_000;
const member = () => document.body.dataset.member ?? "";
const slotOf = (form) => `checkin:${form.dataset.seat}:${form.dataset.kind}`;

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
  const url = form.dataset.url || "/api/v1/checkins";
  const answer = await sendOnce({ slot: slotOf(form), url, body, member: member() });
  if (answer.outcome === "done") {
    const verdict = answer.data.verdict === "review" ? "review" : "accepted";
    const reasons = (answer.data.reasons ?? []).map((code) => say(form, code) ?? "").filter(Boolean);
    status(form, verdict, reasons.join(" "), verdict === "review" ? "warning" : "success");
    form.querySelector("button[type=submit]")?.setAttribute("disabled", "");
    form.dispatchEvent(new CustomEvent("checkin:done", { bubbles: true, detail: answer.data }));
  } else if (answer.outcome === "refused") {
    const { code, detail, title, data } = answer.problem;
    const words = say(form, code, { ...answer.problem, ...data }) ?? detail ?? title ?? say(form, "refused");
    status(form, null, words, "error");
    if (["bad_code", "wrong_code", "position_needed"].includes(code)) offerCode(form, null);
    form.dispatchEvent(new CustomEvent("checkin:refused", { bubbles: true, detail: answer.problem }));
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
