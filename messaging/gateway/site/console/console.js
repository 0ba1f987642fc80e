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
  // What an edit does is shown while somebody writes: once they rest, one question at a time.
  if (text && text.dataset.live) {
    const restMs = Number(text.dataset.rest);
    const parts = text.dataset.parts.split(" ");
    const letter = document.getElementById("letter");
    const whom = document.getElementById("q");
    let frame = letter && letter.querySelector("iframe");
    let frames = 0;
    let timer = 0;
    let isAsking = false;
    const put = (page) => {
      for (const id of parts) {
        const news = page.getElementById(id);
        const part = document.getElementById(id);
        if (news && part && part.innerHTML !== news.innerHTML) part.innerHTML = news.innerHTML;
      }
    };
    // A frame takes what is posted into it; a new one each time, so that no step back is left in the history.
    const show = () => {
      if (!frame) return;
      const next = document.createElement("iframe");
      next.title = frame.title;
      next.name = `letter-${frames += 1}`;
      next.className = "coming";
      next.setAttribute("sandbox", "");
      for (const older of letter.querySelectorAll(".coming")) older.remove();
      letter.append(next);
      next.addEventListener("load", () => { next.className = ""; frame.remove(); frame = next; }, { once: true });
      const { form } = text;
      const action = form.getAttribute("action");
      form.setAttribute("action", text.dataset.frame);
      form.setAttribute("target", next.name);
      form.submit();
      form.setAttribute("action", action);
      form.removeAttribute("target");
    };
    // Whose login has ended is told so: nothing that they write is lost by it.
    const ended = document.createElement("p");
    ended.className = "problem";
    ended.setAttribute("role", "alert");
    const door = document.createElement("a");
    door.href = "/console/login";
    door.target = "_blank";
    door.textContent = "log in in another tab";
    const told = {
      401: ["You are not logged in any more: ", door, "; your text stays here."],
      403: ["Somebody else is logged in in this browser now: ", door, " as yourself; your text stays here."],
    };
    let saidOf = 0;
    const tell = (status) => {
      if (!told[status]) { ended.remove(); saidOf = 0; return; }
      if (saidOf === status) return;
      saidOf = status;
      document.getElementById(parts[0]).before(ended);
      ended.replaceChildren(...told[status]);
    };
    const pageOf = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
    const post = () => {
      const body = new URLSearchParams(new FormData(text.form));
      return fetch(text.dataset.live, { method: "POST", body, signal: AbortSignal.timeout(20000) });
    };
    // The key of a session that began in another tab: with it this form is taken as it was before.
    const renew = async () => {
      const answer = await fetch(text.form.dataset.page, { cache: "no-store", signal: AbortSignal.timeout(20000) });
      const page = answer.ok && await pageOf(answer);
      // Of the same user: what one has begun is not saved under another one's name.
      const isMine = page && page.querySelector("textarea[data-kept]")?.dataset.kept === text.dataset.kept;
      const fresh = isMine && page.querySelector("input[name=form_key]");
      if (fresh) for (const each of document.querySelectorAll("input[name=form_key]")) each.value = fresh.value;
      return Boolean(fresh);
    };
    const ask = async () => {
      if (isAsking) { timer = setTimeout(ask, restMs); return; }
      isAsking = true;
      try {
        let answer = await post();
        if (answer.status === 403 && await renew()) answer = await post();
        tell(answer.status);
        if (answer.ok) {
          const page = await pageOf(answer);
          put(page);
          if (page.querySelector("#seen-words dl")) show();
        }
      } catch { /* the next word asks again */ }
      isAsking = false;
    };
    const later = () => { clearTimeout(timer); timer = setTimeout(ask, restMs); };
    text.addEventListener("input", later);
    addEventListener("focus", () => { if (ended.isConnected) later(); }); // back from the other tab
    if (whom) {
      whom.addEventListener("input", later);
      whom.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); later(); } });
    }
    const pictures = document.getElementById("pictures");
    if (pictures) pictures.addEventListener("change", show);
    if (frame && text.hasAttribute("data-unsaved")) show();
    if (text.hasAttribute("data-begun")) later(); // what a new file begins with is looked at as if it had been typed
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
