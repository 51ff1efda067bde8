// Keeps an open page up to date: what the server says of a finished run is its number, and the page asks for the rest.
"use strict";

(() => {
  const main = document.getElementById("main");
  const kind = main.dataset.live;
  if (!kind || !window.EventSource) return;

  const REFRESH_MS = 60000;
  const RETRY_MS = 10000;
  let shown = Number(main.dataset.newest);
  let latest = shown;
  let asking = false;
  let source = null;

  const load = (address) => fetch(address, { credentials: "same-origin", signal: AbortSignal.timeout(10000) });

  // data-live="page": everything in <main> is replaced by what the server shows now.
  async function replace() {
    const response = await load(location.href);
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("main");
    if (!fresh) return;
    const focused = main.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...main.querySelectorAll("details[open][id]")].map((each) => each.id);
    main.replaceChildren(...fresh.childNodes);
    shown = Number(fresh.dataset.newest);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("probe:updated"));
  }

  // data-live="runs": the list stays as it is, and says how many runs it lacks.
  async function offer() {
    const note = document.getElementById("new");
    const query = new URLSearchParams(location.search);
    query.set("after", String(shown));
    const response = await load(`/runs/new.json?${query}`);
    if (!response.ok) return;
    const { count, more } = await response.json();
    if (!count) return;
    const link = document.createElement("a");
    link.href = note.dataset.address;
    link.textContent = `${count}${more ? " or more" : ""} new run${count === 1 ? "" : "s"}: show`;
    note.replaceChildren(link);
    note.hidden = false;
  }

  async function update() {
    if (asking) return;
    asking = true;
    const wanted = latest;
    try {
      await (kind === "page" ? replace() : offer());
    } catch {
      // The server is away, or slow: the next event, or the next minute, asks again.
    }
    asking = false;
    if (latest !== wanted) update();
  }

  // Only while it can be seen: a browser allows six connections to a server, and each open tab would hold one.
  function listen() {
    if (document.hidden) {
      source?.close();
      source = null;
      return;
    }
    if (source && source.readyState !== EventSource.CLOSED) return;
    source = new EventSource("/events");
    source.addEventListener("newest", (event) => {
      latest = Number(event.data);
      main.dataset.connected = "yes";
      if (latest !== shown) update();
    });
    source.onerror = () => {
      main.dataset.connected = "no";
    };
  }

  document.addEventListener("visibilitychange", listen);
  setInterval(listen, RETRY_MS);
  if (kind === "page") setInterval(() => document.hidden || update(), REFRESH_MS);
  listen();
})();
