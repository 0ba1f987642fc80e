/* What the console does beyond links and forms. Everything works without it. */
(() => {
  "use strict";
  const menu = document.getElementById("menu");
  const places = document.getElementById("places");
  if (menu && places) {
    menu.hidden = false;
    places.classList.add("away");
    menu.addEventListener("click", () => {
      const isAway = places.classList.toggle("away");
      menu.setAttribute("aria-expanded", String(!isAway));
    });
  }
  // An error's line: put the cursor there, and bring it into view.
  const text = document.getElementById("text");
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-line]");
    if (!link || !text) return;
    event.preventDefault();
    const line = Number(link.dataset.line);
    const lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] || "").length);
    text.scrollTop = Math.max(0, (line - 4) * (text.scrollHeight / lines.length));
  });
  // Who matches is counted while somebody writes: once they rest, one question at a time.
  const matches = document.getElementById("matches");
  if (text && text.dataset.counts && matches) {
    const REST_MS = 1000;
    let timer = 0;
    let isAsking = false;
    const ask = async () => {
      if (isAsking) { timer = setTimeout(ask, REST_MS); return; }
      isAsking = true;
      try {
        const body = new URLSearchParams(new FormData(text.form));
        const answer = await fetch(text.dataset.counts, { method: "POST", body, signal: AbortSignal.timeout(20000) });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const news = page.getElementById("matches");
        if (answer.ok && news) matches.innerHTML = news.innerHTML;
      } catch { /* the next word asks again */ }
      isAsking = false;
    };
    text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, REST_MS); });
  }
  // What a mark of a chart says, at the pointer or finger at once: the browser's own hint comes late, and by no finger.
  const hover = document.createElement("div");
  hover.className = "hover";
  hover.hidden = true;
  hover.setAttribute("aria-hidden", "true"); // it stands in the table
  document.body.append(hover);
  let held = null; // the mark at the pointer, and its own hint, which is out of it so long: or both would show
  const markOf = (target) => {
    for (let each = target; each instanceof SVGElement && each.tagName !== "svg"; each = each.parentNode) {
      if (held && each === held.mark) return each;
      if ([...each.children].some((child) => child.tagName === "title")) return each;
    }
    return null;
  };
  const move = (event) => {
    const mark = markOf(event.target);
    if (held && held.mark !== mark) {
      held.mark.prepend(held.title);
      held = null;
    }
    if (mark && !held) {
      const title = [...mark.children].find((child) => child.tagName === "title");
      held = { mark, title };
      title.remove();
      hover.textContent = title.textContent;
    }
    hover.hidden = !mark;
    if (!mark) return;
    const room = document.documentElement.clientWidth - hover.offsetWidth - 8;
    hover.style.left = `${Math.max(8, Math.min(event.pageX + 12, room + scrollX))}px`;
    hover.style.top = `${event.pageY - hover.offsetHeight - 12}px`;
  };
  for (const name of ["pointerover", "pointermove", "pointerdown"]) document.addEventListener(name, move);
  document.addEventListener("keydown", () => { hover.hidden = true; });
  // Whoever leaves with words that are not saved is asked once.
  if (text && !text.readOnly) {
    let isSent = false;
    text.form.addEventListener("submit", () => { isSent = true; });
    addEventListener("beforeunload", (event) => {
      const isChanged = text.value !== text.defaultValue || text.hasAttribute("data-unsaved");
      if (!isSent && isChanged) event.preventDefault();
    });
  }
})();
