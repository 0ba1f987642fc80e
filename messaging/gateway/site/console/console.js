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
})();
