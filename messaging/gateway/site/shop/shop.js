/* The demo shop's own script: cart and wish list in this browser, and what MDMA is told of them. */
(() => {
  "use strict";
  window.mdma = window.mdma || [];
  const tell = (...call) => window.mdma.push(call);
  const all = (selector) => document.querySelectorAll(selector);
  const euros = (amount) => "€" + amount;

  const shelf = {};
  function list(name) {
    try {
      return JSON.parse(localStorage.getItem("shop." + name)) || [];
    } catch {
      return shelf[name] || [];
    }
  }
  function keep(name, items) {
    shelf[name] = items;
    try {
      localStorage.setItem("shop." + name, JSON.stringify(items));
    } catch {
      // kept until the page is left
    }
    draw();
  }
  const sum = (items) => items.reduce((total, item) => total + item.price * item.quantity, 0);

  function put(name, product) {
    const items = list(name);
    const known = items.find((item) => item.product_id === product.product_id);
    if (known && name === "cart") known.quantity += 1;
    else if (!known) items.push({ ...product, quantity: 1 });
    keep(name, items);
    tell("cart", name === "cart" ? "added" : "wished", { ...product, quantity: 1, currency: "EUR" });
  }

  function take(name, product) {
    keep(name, list(name).filter((item) => item.product_id !== product.product_id));
    if (name === "cart") tell("cart", "removed", { ...product, currency: "EUR" });
  }

  function row(name, item) {
    const line = document.createElement("tr");
    const title = document.createElement("th");
    title.scope = "row";
    const link = document.createElement("a");
    link.href = "/products/" + item.product_id;
    link.textContent = item.name;
    title.append(link, item.quantity > 1 ? ` × ${item.quantity}` : "");
    const price = document.createElement("td");
    price.className = "amount";
    price.textContent = euros(item.price * item.quantity);
    const change = document.createElement("td");
    change.className = "amount";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = "Remove";
    button.setAttribute("aria-label", "Remove " + item.name);
    button.addEventListener("click", () => take(name, item));
    change.append(button);
    line.append(title, price, change);
    return line;
  }

  function draw() {
    for (const place of all("[data-count]")) {
      const items = list(place.dataset.count);
      place.textContent = items.length ? items.reduce((count, item) => count + item.quantity, 0) : "";
    }
    for (const table of all("[data-list]")) {
      const items = list(table.dataset.list);
      table.hidden = !items.length;
      table.tBodies[0].replaceChildren(...items.map((item) => row(table.dataset.list, item)));
    }
    const shown = document.querySelector("[data-list]");
    const isEmpty = !list(shown ? shown.dataset.list : "cart").length;
    for (const place of all("[data-empty]")) place.hidden = !isEmpty;
    for (const place of all("[data-full]")) place.hidden = isEmpty;
    for (const place of all("[data-total]")) place.textContent = euros(sum(list("cart")));
  }

  for (const place of all("[data-product]")) {
    const product = JSON.parse(place.dataset.product);
    const status = place.querySelector("[role=status]");
    if (place.querySelector("img")) tell("cart", "viewed", { ...product, currency: "EUR" });
    for (const button of place.querySelectorAll("[data-do]"))
      button.addEventListener("click", () => {
        const isCart = button.dataset.do === "add";
        put(isCart ? "cart" : "wishes", product);
        status.textContent = isCart ? "It is in your cart." : "It is on your wish list.";
      });
  }

  for (const form of all("form[data-thanks]"))
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      form.querySelector("[role=status]").textContent = form.dataset.thanks;
      form.reset();
    });

  const checkout = document.querySelector("[data-checkout]");
  if (checkout) {
    const items = list("cart");
    if (items.length) tell("cart", "checkout", { value: sum(items), currency: "EUR" });
    checkout.addEventListener("submit", (event) => {
      event.preventDefault();
      const bought = list("cart");
      const order = "o-" + Date.now().toString(36) + Math.random().toString(36).slice(2, 6);
      tell("cart", "ordered", { order_id: order, total: sum(bought), currency: "EUR", products: bought });
      keep("cart", []);
      location.assign("/thanks");
    });
  }
  if (document.querySelector('[data-list="cart"]') && list("cart").length)
    tell("cart", "opened", { value: sum(list("cart")), currency: "EUR" });

  for (const button of all("[data-privacy]")) {
    const name = "shop.private";
    const isPrivate = () => localStorage.getItem(name) === "1";
    const show = () => button.setAttribute("aria-pressed", String(isPrivate()));
    button.addEventListener("click", () => {
      localStorage.setItem(name, isPrivate() ? "0" : "1");
      tell("consent", { site: !isPrivate() });
      show();
    });
    show();
  }

  for (const link of all("nav a")) if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
  addEventListener("pageshow", draw);
  addEventListener("storage", draw);
  draw();
})();
