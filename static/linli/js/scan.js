/* The partner's screen (templates/components/scan.html): camera where the browser reads codes
 * itself, else a photo that the server reads, else the typed code; then a full-screen yes, no, or
 * wait (when the answer is not known, the same key is sent again: never a second redemption). */

import { sendOnce } from "./send.js";
import { announce, fill, say, toast, word } from "./words.js";

const LOOK_EVERY_MS = 150;

export function wake() {
  for (const root of document.querySelectorAll("[data-scan]")) {
    if (root.dataset.awake) continue;
    root.dataset.awake = "yes";
    start(root);
  }
}

function start(root) {
  const form = root.matches("form") ? root : root.querySelector("form");
  const field = root.querySelector("[data-scan-field]");
  const video = root.querySelector("[data-scan-video]");
  const dialog = document.getElementById(root.dataset.result ?? "result");
  let stream = null;
  let pending = null; // the body whose answer is not known yet

  const show = (selector, is) => root.querySelectorAll(selector).forEach((el) => (el.hidden = !is));

  // ── camera ──
  async function camera() {
    try {
      const detector = new BarcodeDetector({ formats: ["qr_code"] });
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      video.srcObject = stream;
      await video.play();
      show("[data-scan-on]", true);
      show("[data-scan-off]", false);
      look(detector, stream);
    } catch {
      stop();
      show("[data-scan-camera]", false);
      announce(root.dataset.sayNoCamera);
      toast(root.dataset.sayNoCamera);
    }
  }

  async function look(detector, mine) {
    while (stream === mine) {
      try {
        const [found] = await detector.detect(video);
        if (found && stream === mine) {
          stop();
          return read(found.rawValue);
        }
      } catch {
        // a frame that is not ready yet
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    if (video) video.srcObject = null;
    show("[data-scan-on]", false);
    show("[data-scan-off]", true);
  }

  // ── photo ──
  async function photo(input) {
    const [file] = input.files;
    if (!file) return;
    const data = new FormData();
    data.append("photo", file);
    const label = input.closest(".btn");
    label?.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(root.dataset.decodeUrl, {
        method: "POST",
        credentials: "same-origin",
        headers: { "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content, Accept: "application/json" },
        body: data,
      });
      const answer = await response.json().catch(() => ({}));
      if (response.ok && answer.text) return read(answer.text);
      toast(root.dataset.sayUnreadable, "error");
    } catch {
      toast(word("noNetwork"), "error");
    } finally {
      label?.removeAttribute("aria-busy");
      input.value = "";
    }
  }

  // ── answer ──
  function read(text) {
    navigator.vibrate?.(60);
    field.value = text.trim();
    if (root.dataset.scanAuto !== "no") form.requestSubmit();
    else announce(root.dataset.sayRead);
  }

  async function submit(event) {
    if (!form.dataset.api) return; // a plain or htmx form: the server answers with result.html
    event.preventDefault();
    if (form.dataset.busy) return;
    const body = pending ?? Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken"));
    if (typeof body.code === "string") body.code = body.code.trim();
    form.dataset.busy = "yes";
    form.querySelector("[type=submit]")?.setAttribute("aria-busy", "true");
    const answer = await sendOnce({
      slot: `${form.dataset.api}:${JSON.stringify(body)}`,
      url: form.dataset.api,
      body,
      member: document.body.dataset.member ?? "",
    });
    delete form.dataset.busy;
    form.querySelector("[type=submit]")?.removeAttribute("aria-busy");
    pending = answer.outcome === "unsent" ? body : null;
    if (answer.outcome === "done") {
      verdict("yes", say(root, "done", answer.data), say(root, "done-detail", answer.data));
      form.reset();
      root.dispatchEvent(new CustomEvent("scan:done", { bubbles: true, detail: answer.data }));
    } else if (answer.outcome === "refused") {
      // Never the problem's `title`: it is the HTTP phrase, in English.
      const { code, detail, errors } = answer.problem;
      const said = Object.values(errors ?? {}).flat().filter((each) => typeof each === "string");
      verdict("no", say(root, code ?? "", answer.problem) ?? say(root, "refused"), said.join(" ") || detail);
      field.value = "";
    } else {
      verdict("wait", say(root, answer.reason), say(root, "unsent-detail"));
    }
  }

  function verdict(kind, title, detail) {
    if (!dialog) return toast(title);
    const slot = (name) => dialog.querySelector(`[data-result-${name}]`);
    dialog.dataset.kind = kind;
    slot("word").textContent = slot("word").dataset[kind];
    slot("title").textContent = title ?? "";
    slot("detail").textContent = fill(detail ?? "");
    navigator.vibrate?.(kind === "yes" ? 120 : [120, 80, 120]);
    if (!dialog.open) dialog.showModal();
  }

  dialog?.addEventListener("close", () => field.focus());
  root.querySelector("[data-scan-start]")?.addEventListener("click", camera);
  root.querySelector("[data-scan-stop]")?.addEventListener("click", stop);
  root.querySelector("[data-scan-photo]")?.addEventListener("change", (event) => photo(event.target));
  form?.addEventListener("submit", submit);
  form?.addEventListener("input", () => (pending = null));
  document.addEventListener("visibilitychange", () => document.hidden && stream && stop());
  show("[data-scan-camera]", "BarcodeDetector" in globalThis && Boolean(navigator.mediaDevices?.getUserMedia));
  show("[data-scan-on]", false);
}
