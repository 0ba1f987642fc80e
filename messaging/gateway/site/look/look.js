/* Look for news: fetch this very page again, and put in what changed. A hidden tab asks for nothing.
   A part stays as it is while somebody uses it: a link in it has the focus, or something in it is folded out. */
(() => {
  "use strict";
  const main = document.getElementById("main");
  const stale = document.getElementById("stale");
  const seconds = Number(main.dataset.seconds);
  if (!seconds) return;
  const SLOWEST = 30;
  const ANSWER_SECONDS = 10;
  let failures = 0;
  let timer = 0;

  const isUsed = (part) =>
    part.contains(document.activeElement) || part.querySelector("details[open]") || isSelected(part);

  function isSelected(part) {
    const selection = getSelection();
    return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  }

  function put(page) {
    for (const part of document.querySelectorAll("[data-part]")) {
      const news = page.getElementById(part.id);
      if (news && news.innerHTML !== part.innerHTML && !isUsed(part)) part.innerHTML = news.innerHTML;
    }
  }

  async function look() {
    timer = 0;
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_SECONDS * 1000) });
      if (answer.status === 401 || answer.status === 404) return location.reload();
      if (!answer.ok) throw new Error(answer.status);
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      failures = 0;
      stale.textContent = "";
    } catch {
      failures += 1;
      stale.textContent = "No answer: this is how it stood. Trying again.";
    }
    wait();
  }

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(look, Math.min(SLOWEST, seconds * 2 ** Math.min(failures, 6)) * 1000);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) { clearTimeout(timer); look(); } });
  wait();
})();
