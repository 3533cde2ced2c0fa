// What pages do in the browser itself: colours, times in the reader's zone, and forms that speak to the API.
"use strict";

const podium = (() => {
  const KEY = "podium-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");

  // Colours -----------------------------------------------------------------------------------------------------------
  const chosen = () => localStorage.getItem(KEY) || "system";
  const isDark = () => (chosen() === "system" ? system.matches : chosen() === "dark");

  function applyTheme() {
    document.documentElement.dataset.theme = isDark() ? "dark" : "light";
    if (typeof Quasar !== "undefined") Quasar.Dark.set(isDark());
    const button = document.getElementById("pd-theme");
    if (button) {
      const label = `Colours: ${chosen() === "system" ? "as the system" : chosen()}`;
      button.setAttribute("aria-label", label);
      button.title = label;
    }
    dispatchEvent(new CustomEvent("podium-theme", { detail: { dark: isDark() } }));
  }

  function nextTheme() {
    const order = system.matches ? ["system", "light", "dark"] : ["system", "dark", "light"];
    localStorage.setItem(KEY, order[(order.indexOf(chosen()) + 1) % order.length]);
    applyTheme();
  }

  // The API -----------------------------------------------------------------------------------------------------------
  async function call(method, path, body, csrf) {
    const headers = { Accept: "application/json" };
    if (csrf) headers["X-CSRF-Token"] = csrf;
    if (body !== undefined && !(body instanceof FormData)) {
      headers["Content-Type"] = "application/json";
      body = JSON.stringify(body);
    }
    try {
      const response = await fetch("/api/v1" + path, { method, headers, body });
      const text = await response.text();
      return { status: response.status, content: text ? JSON.parse(text) : null };
    } catch (error) {
      return { status: 0, content: { detail: "The server does not answer. Try again.", problems: [] } };
    }
  }

  // Forms: data-method, data-path, data-csrf, data-next; fields by name, and [data-error-of] for what is wrong with each.
  const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

  function showErrors(form, content) {
    let rest = content.problems && content.problems.length ? [] : [content.detail || "Something went wrong."];
    for (const problem of content.problems || []) {
      const name = problem.where.split(".").pop();
      const input = form.elements[name];
      const place = form.querySelector(`[data-error-of="${CSS.escape(name)}"]`);
      if (!input || !place) rest.push(`${name}: ${problem.expected}`);
      else {
        place.textContent = input.dataset.expected || sentence(problem.expected);
        input.setAttribute("aria-invalid", "true");
      }
    }
    const all = form.querySelector("[data-error-of='']");
    if (all) all.textContent = rest.map(sentence).join(" ");
    const first = form.querySelector("[aria-invalid]");
    if (first) first.focus();
  }

  function clearErrors(form) {
    for (const place of form.querySelectorAll("[data-error-of]")) place.textContent = "";
    for (const input of form.elements) input.removeAttribute("aria-invalid");
  }

  function mismatch(form) {
    const again = form.querySelector("[data-same-as]");
    if (!again || again.value === form.elements[again.dataset.sameAs].value) return null;
    return { problems: [{ where: again.name, expected: "the same password as above" }] };
  }

  async function submit(form) {
    clearErrors(form);
    const different = mismatch(form);
    if (different) return showErrors(form, different);
    const body = {};
    for (const input of form.elements) {
      if (input.name && !input.dataset.sameAs) body[input.name] = input.value;
    }
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    const { status, content } = await call(form.dataset.method, form.dataset.path, body, form.dataset.csrf);
    button.disabled = false;
    if (status === 0 || status >= 400) return showErrors(form, content || {});
    if (form.dataset.next) return location.assign(form.dataset.next);
    form.reset();
    const done = form.querySelector("[data-done-here]");
    if (done) done.textContent = form.dataset.done || (content && content.detail) || "Done.";
  }

  async function signOut(button) {
    await call("DELETE", "/session", undefined, button.dataset.csrf);
    location.assign("/sign-in");
  }

  // Uploads: [data-upload] boxes, with files dropped or chosen; what became of them is a podium-uploaded event. ---------
  const relative = (file) => file.webkitRelativePath.split("/").slice(1).join("/") || file.name;

  function showFiles(box) {
    const names = box.files.map(relative);
    const more = names.length > 4 ? ` and ${names.length - 4} more` : "";
    box.querySelector("[data-files]").textContent = names.slice(0, 4).join(", ") + more;
    for (const button of box.querySelectorAll("[data-send]")) button.disabled = names.length === 0;
  }

  function take(box, files) {
    box.files = [...files].filter((file) => !relative(file).split("/").some((part) => part.startsWith(".")));
    showFiles(box);
  }

  function send(box, path) {
    const body = new FormData();
    for (const file of box.files) body.append("files", file, relative(file));
    const name = box.querySelector("input[name=name]");
    if (name && name.value.trim()) body.append("name", name.value.trim());
    const bar = box.querySelector("progress");
    const request = new XMLHttpRequest();
    const end = (status, content) => {
      bar.hidden = true;
      showFiles(box);
      box.dispatchEvent(new CustomEvent("podium-uploaded", { detail: { path, status, content } }));
    };
    request.open("POST", "/api/v1" + path);
    request.setRequestHeader("X-CSRF-Token", box.dataset.csrf);
    request.upload.onprogress = (event) => (bar.value = event.total ? event.loaded / event.total : 0);
    request.onload = () => end(request.status, JSON.parse(request.responseText || "null"));
    request.onerror = () => end(0, { detail: "the server does not answer" });
    bar.value = 0;
    bar.hidden = false;
    for (const button of box.querySelectorAll("[data-send]")) button.disabled = true;
    request.send(body);
  }

  function copy(button) {
    const source = document.querySelector(button.dataset.copy);
    getSelection().selectAllChildren(source); // where the browser does not allow copying, it is selected at least
    if (navigator.clipboard) {
      navigator.clipboard.writeText(source.textContent.trim()).then(() => (button.textContent = "Copied"));
    }
  }

  // Where it all begins -----------------------------------------------------------------------------------------------
  addEventListener("submit", (event) => {
    if (!(event.target instanceof HTMLFormElement) || !event.target.dataset.path) return;
    event.preventDefault();
    submit(event.target);
  });

  addEventListener("click", (event) => {
    const at = (selector) => event.target.closest && event.target.closest(selector);
    if (at("#pd-theme")) nextTheme();
    if (at("[data-copy]")) copy(at("[data-copy]"));
    if (at("[data-choose]")) at("[data-upload]").querySelector(at("[data-choose]").dataset.choose).click();
    if (at("[data-send]")) send(at("[data-upload]"), at("[data-send]").dataset.send);
    if (at("#pd-sign-out")) signOut(at("#pd-sign-out"));
    for (const menu of document.querySelectorAll("details.pd-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  addEventListener("change", (event) => {
    if (event.target.matches("[data-upload] input[type=file]")) take(event.target.closest("[data-upload]"), event.target.files);
  });

  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      const drop = event.target.closest && event.target.closest(".pd-drop");
      if (!drop) return;
      event.preventDefault();
      drop.classList.toggle("pd-over", kind === "dragover");
      if (kind === "drop") take(drop.closest("[data-upload]"), event.dataTransfer.files);
    });
  }

  addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.pd-menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // A moment in the reader's own time zone, with the name of the zone.
  function momentText(iso, seconds) {
    const at = new Date(iso);
    const part = (options) => new Intl.DateTimeFormat("sv-SE", options).format(at);
    const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(at);
    const name = zone.find((found) => found.type === "timeZoneName").value;
    return `${part({ dateStyle: "short" })} ${part({ timeStyle: seconds ? "medium" : "short" })} ${name}`;
  }

  customElements.define(
    "pd-moment",
    class extends HTMLElement {
      static observedAttributes = ["at", "seconds"];
      attributeChangedCallback() {
        if (this.hasAttribute("at")) this.textContent = momentText(this.getAttribute("at"), this.hasAttribute("seconds"));
      }
    },
  );

  // Tables say what they are where podium.css makes blocks of their rows, which else takes their roles in some browsers.
  const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };

  function giveRoles(place) {
    for (const part of place.querySelectorAll(":is(table, thead, tbody, tr, td, th):not([role])")) {
      const heading = part.getAttribute("scope") === "row" ? "rowheader" : "columnheader";
      part.setAttribute("role", ROLES[part.tagName] || heading);
      const named = part.tagName === "TABLE" && part.closest("[data-label]");
      if (named) part.setAttribute("aria-label", named.dataset.label);
    }
  }

  // A table that is sorted has its headings made anew: the focus stays with the one that had it.
  let held = null;

  const sorts = (table) => [...table.querySelectorAll(".pd-sort")];

  function keepFocus() {
    if (held && document.activeElement === document.body) sorts(held.table)[held.number]?.focus({ preventScroll: true });
  }

  addEventListener("focusin", (event) => {
    const button = event.target.closest(".pd-sort");
    const table = button && button.closest("table");
    held = table && { table, number: sorts(table).indexOf(button) };
  });
  addEventListener("pointerdown", () => (held = null));

  new MutationObserver((changes) => {
    new Set(changes.map((change) => change.target)).forEach(giveRoles);
    keepFocus();
  }).observe(document, { childList: true, subtree: true });

  system.addEventListener("change", applyTheme);
  addEventListener("DOMContentLoaded", applyTheme);
  applyTheme();
  return { applyTheme, call, isDark, momentText, showErrors };
})();
