/* What somebody writes is kept in this tab until it is saved or thrown away: a login that ends loses no word.
   Kept is the text of a field that says `data-kept` (whose it is, and of what), with the version it began with. It is
   offered again where that field is shown with another text. Who logs out in this tab leaves nothing behind. */
(() => {
  "use strict";
  const KEPT = "mdma.kept";
  const FROM = "mdma.from";
  const TEXTS_MAX = 6; // the oldest goes first
  const CHARACTERS_MAX = 500000; // of one text: a longer one is not kept
  const REST_MS = 300;
  const main = document.getElementById("main");
  const read = () => {
    try { return JSON.parse(sessionStorage.getItem(KEPT)) || []; } catch { return []; }
  };
  const write = (kept) => {
    try { sessionStorage.setItem(KEPT, JSON.stringify(kept.slice(-TEXTS_MAX))); } catch { /* full, or not allowed */ }
  };
  const arrived = read();
  const isTaken = new URLSearchParams(location.search).has("said") || document.querySelector("[data-taken]");
  const text = document.querySelector("textarea[data-kept]");
  // What was sent from the page before is saved where this page says so, or stands in it again, checked or put together
  // with what others wrote; anything else of it is as unsaved as ever.
  const isBack = (each) => text && text.hasAttribute("data-unsaved") && each.key === text.dataset.kept;
  const left = arrived
    .filter((each) => !(each.sent && (isTaken || isBack(each))))
    .map(({ sent, ...each }) => each);
  write(left);

  // Whoever was sent to the login by a form comes back to the page with the form.
  const way = document.querySelector("form[data-login] input[name=to]");
  if (way) {
    const from = sessionStorage.getItem(FROM);
    if (from && document.querySelector("form[data-login][data-ended]")) {
      way.value = from;
      const said = document.querySelector(".problem");
      if (said && arrived.some((each) => each.sent)) {
        said.append(" Your text is kept in this tab: log in, and take it up again.");
      }
    }
    sessionStorage.removeItem(FROM);
    return;
  }
  sessionStorage.removeItem(FROM);
  document.addEventListener("submit", (event) => {
    const from = event.target.dataset.page || main.dataset.page;
    if (from) sessionStorage.setItem(FROM, from);
  });

  let flush = () => {};
  for (const form of document.querySelectorAll("form[data-logout]")) {
    form.addEventListener("submit", () => { sessionStorage.removeItem(KEPT); flush = () => {}; });
  }
  if (!text || text.readOnly) return;

  const key = text.dataset.kept;
  const { form } = text;
  const base = () => (form.elements.base ? form.elements.base.value : "");
  const id = `${Date.now()}-${Math.random()}`;
  let timer = 0;
  const without = (other) => read().filter((each) => each.id !== other);
  const keep = (sent) => {
    clearTimeout(timer);
    const isChanged = text.value !== text.defaultValue || text.hasAttribute("data-unsaved");
    const mine = { key, id, at: Date.now(), base: base(), text: text.value, ...(sent && { sent }) };
    write(isChanged && text.value.length <= CHARACTERS_MAX ? [...without(id), mine] : without(id));
  };
  flush = keep;
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(keep, REST_MS); });
  form.addEventListener("submit", () => { keep(true); flush = () => {}; });
  addEventListener("pagehide", () => flush());
  // The same text is the same, however it came here.
  write(left.filter((each) => each.key !== key || each.text !== text.value));
  keep();

  const take = (other) => {
    text.value = other.text;
    if (form.elements.base && other.base !== base()) {
      // It is saved on top of what it began with: what others changed since is put together with it, or told.
      form.elements.base.value = other.base;
      if (form.elements.newest) form.elements.newest.remove();
    }
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const offer = (other) => {
    const box = document.createElement("div");
    box.className = "said kept";
    box.setAttribute("role", "status");
    const said = document.createElement("p");
    const at = new Date(other.at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
    const begun = other.base && other.base !== base() ? `, begun with version ${other.base}` : "";
    said.textContent = `You had unsaved text from ${at}${begun}.`;
    const acts = document.createElement("div");
    acts.className = "acts";
    const button = (name, look, act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.className = `${look} small`.trim();
      made.textContent = name;
      made.addEventListener("click", () => {
        write(without(other.id));
        act();
        keep();
        box.remove();
        text.focus();
      });
      acts.append(made);
    };
    button("Take it up", "", () => take(other));
    button("Throw it away", "quiet", () => {});
    box.append(said, acts);
    form.before(box);
  };
  for (const other of left) if (other.key === key && other.text !== text.value) offer(other);
})();
