/* mdma: the browser's side. One file, no dependency, nothing from elsewhere.
 *
 *   <script async src="https://mdma.example/sdk.js" data-write-key="KEY"></script>
 *
 * is all a site needs, once visitors have agreed (see data-consent). Page views are told by themselves, also where a
 * script changes the address. The rest:
 *
 *   window.mdma = window.mdma || [];                        // works before this file has come
 *   mdma.push(["consent", {site: true, email: false}]);     // what the visitor decided
 *   mdma.push(["track", "Product Viewed", {product_id: "p1"}]);
 *   mdma.push(["identify", "user-7", {firstName: "Ann"}]);
 *   mdma.push(["cart", "added", {product_id: "p1", price: 20, quantity: 1}]);
 *
 * The same as calls once it is there: mdma.track(…), mdma.page(…), mdma.reset(), mdma.anonymousId().
 *
 * Attributes of the script element
 *   data-consent="assumed"    the site has asked already, or need not; else nothing is stored on the device and no
 *                             behaviour is told until consent({site: true})
 *   data-auto-page="off"      page views only by mdma.page()
 *   data-engagements="off"    never shows anything
 * Attributes of the site's elements
 *   <form data-mdma-form="newsletter">                      its fields become traits when it is sent
 *   <input type=checkbox data-mdma-consent="email">         a tick is consent to e-mail
 *   <input data-mdma-ignore>                                never read
 *   <button data-mdma-track="Product Added" data-mdma-properties='{"product_id": "p1"}'>
 * A Content-Security-Policy needs this address in script-src and connect-src, and nothing else.
 * A site's style sheet may set --mdma-accent and --mdma-on-accent. Each response to an engagement is also an event of
 * the document, `mdma:engagement`, so that a page can open its own chat.
 *
 * Rules
 * 1. Before consent the device keeps nothing: ids, calls and the tag of an e-mail's click live in memory. What a visitor
 *    does on purpose to be known (a form that is sent, identify, a decision on consent) is told at once.
 * 2. Consent to e-mail is told once, with the act. Stamped on every call it would undo a later unsubscribe.
 * 3. A call keeps its messageId through all retries: it is rather told twice than lost. The device of who refuses keeps
 *    their decision, and the call that tells it until the gateway has answered that: whose, when, of what, no more.
 * 4. What comes from the server is text. It is never read as HTML, and a link is http(s) or none.
 * 5. Every queue has a bound, every request a time-out, every retry a limit and jitter.
 */
(() => {
  "use strict";

  const script = document.currentScript || document.querySelector("script[data-write-key]");
  const given = window.mdma;
  if (!script || (given && given.version)) return;
  const option = (name) => script.getAttribute("data-" + name) || "";
  const writeKey = option("write-key");
  const base = new URL(".", script.src).href.replace(/\/$/, "");
  if (!writeKey) return console.warn("mdma: the script element needs data-write-key");

  const VERSION = "1";
  const PREFIX = "mdma.";
  const QUEUE = "q.";
  const UNTOLD = "untold."; // the queue's part that outlives consent: refusals
  const QUEUE_MAX = 200; // calls kept for later; the oldest go first
  const QUEUE_HOURS_MAX = 24; // the gateway corrects times within a day
  const CALL_BYTES_MAX = 32000; // the gateway takes 32 KB
  const PARCEL_CALLS_MAX = 50;
  const PARCEL_BYTES_MAX = 60000; // browsers carry 64 KB beyond the end of a page
  const HELD_MAX = 50; // calls in memory that wait for consent
  const GATHER_MS = 300;
  const REQUEST_MS_MAX = 10000;
  const RETRY_MS_FIRST = 1000;
  const RETRY_MS_MAX = 300000;
  const FORM_FIELDS_MAX = 20;
  const TEXT_MAX = 500;

  // ---------------------------------------------------------------------------------- small things

  const warn = (text) => console.warn("mdma: " + text);
  const jitter = (ms) => ms * (0.5 + Math.random());
  const bytes = (text) => new TextEncoder().encode(text).length;
  const cut = (value, size) => (typeof value === "string" ? value : "").slice(0, size);
  const isTouched = () => matchMedia("(pointer: coarse)").matches;
  const isVisible = () => document.visibilityState !== "hidden";

  function uuid() {
    if (crypto.randomUUID) return crypto.randomUUID(); // only where the connection is safe
    const drawn = crypto.getRandomValues(new Uint8Array(16));
    drawn[6] = (drawn[6] & 15) | 64;
    drawn[8] = (drawn[8] & 63) | 128;
    const hex = Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  function parse(text) {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  }

  // ---------------------------------------------------------------------------------- what is kept

  const memory = new Map();
  let device = null; // localStorage, once it may be used and if it works

  function openDevice() {
    try {
      localStorage.setItem(PREFIX + "try", "1");
      localStorage.removeItem(PREFIX + "try");
      device = localStorage;
    } catch {
      device = null; // switched off or full: memory, and a cookie for the id
    }
    const moved = [...memory];
    memory.clear();
    // Another tab may have been here first: a browser has one id.
    for (const [name, value] of moved)
      if (!/^(id|user)$/.test(name) || !keep.get(name)) keep.set(name, value);
  }

  /** Return where a name is kept: a refusal also with who refused, or nobody would hear of it. */
  const shelf = (name) => device || (name.startsWith(UNTOLD) ? attempt(() => localStorage) : null);

  const keep = {
    get(name) {
      if (memory.has(name)) return memory.get(name);
      try {
        const found = shelf(name);
        return found && found.getItem(PREFIX + name);
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        const found = shelf(name);
        if (found) return found.setItem(PREFIX + name, value);
      } catch {
        // full: this one lives as long as the page
      }
      memory.set(name, value);
    },
    remove(name) {
      memory.delete(name);
      try {
        const found = shelf(name);
        if (found) found.removeItem(PREFIX + name);
      } catch {
        // nothing to remove then
      }
    },
    names(start) {
      const stored = Object.keys(shelf(start) || {});
      const own = stored.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
      return [...own, ...memory.keys()].filter((name) => name.startsWith(start)).sort();
    },
  };

  /** Read or write something small outside `keep`; a browser that forbids it is no error. */
  function attempt(act) {
    try {
      return act();
    } catch {
      return null;
    }
  }

  function setCookie(value, seconds) {
    attempt(() => {
      const secure = location.protocol === "https:" ? ";Secure" : "";
      document.cookie = `mdma_id=${value};Max-Age=${seconds};Path=/;SameSite=Lax${secure}`;
    });
  }

  function anonymousId() {
    let id = keep.get("id");
    if (!id && site() && !device) id = (attempt(() => document.cookie.match(/(?:^|; )mdma_id=([\w-]+)/)) || [])[1];
    if (!id) id = uuid();
    if (keep.get("id") !== id) keep.set("id", id);
    if (site() && !device) setCookie(id, 31536000);
    return id;
  }

  // ---------------------------------------------------------------------------------- consent

  let held = [];
  // A decision itself may be remembered without consent: it is what the visitor asked for.
  let decided = (parse(attempt(() => localStorage.getItem(PREFIX + "consent"))) || {}).site;

  function site() {
    return decided === undefined ? option("consent") === "assumed" : decided === true;
  }

  function consent(preferences) {
    const said = {};
    for (const name of ["site", "email"])
      if (typeof (preferences || {})[name] === "boolean") said[name] = preferences[name];
    if (!Object.keys(said).length) return warn("consent needs {site: true or false, email: true or false}");
    const wasKnown = site() || said.site || said.email;
    // Who refuses has no id any more, and the refusal is of who they were.
    const whose = { anonymousId: anonymousId(), userId: keep.get("user") || undefined };
    if ("site" in said) {
      if (said.site && !device) openDevice(); // before other tabs hear of it: they take over this id
      attempt(() => localStorage.setItem(PREFIX + "consent", JSON.stringify({ site: said.site })));
      decide(said.site);
    }
    const isRefusal = said.site === false || said.email === false;
    // Who refuses before anything is known of them is nobody to us, and stays so.
    if (wasKnown)
      say("identify", { ...(decided === false ? whose : {}), traits: {} }, { own: true, consent: said, isRefusal });
    if (decided) release();
  }

  /** Follow a decision, of this tab or of another one. */
  function decide(yes) {
    decided = yes;
    if (!yes) return forget();
    if (!device) openDevice();
    attend();
  }

  function forget() {
    for (const name of keep.names("")) if (name !== "consent" && !name.startsWith(UNTOLD)) keep.remove(name);
    setCookie("", 0);
    device = null;
    held = [];
    clear();
  }

  /** Take away what was offered to who was here. */
  function clear() {
    cursor = "";
    waiting.length = 0;
    if (open) open.close();
    closeStream();
  }

  function release() {
    const waiting = held;
    held = [];
    for (const call of waiting) {
      call.anonymousId = anonymousId();
      call.context.consent = { categoryPreferences: { site: true } };
      enqueue("", call);
    }
  }

  // ---------------------------------------------------------------------------------- calls

  /** Take the tag that a click in an e-mail left in the address out of it: a shared link must not carry it. */
  const landing = (() => {
    const url = new URL(location.href);
    if (!url.searchParams.has("mdma_v")) return "";
    const tagged = url.href;
    url.searchParams.delete("mdma_v");
    attempt(() => history.replaceState(history.state, "", url.href));
    return tagged;
  })();
  let tagged = landing; // told with the first page view
  let referrer = document.referrer;

  function context(said) {
    const found = {
      library: { name: "mdma.js", version: VERSION },
      page: {
        url: location.href,
        path: location.pathname,
        referrer,
        search: location.search,
        title: document.title,
      },
      locale: navigator.language,
      userAgent: navigator.userAgent,
      timezone: attempt(() => Intl.DateTimeFormat().resolvedOptions().timeZone) || undefined,
    };
    const query = new URLSearchParams(location.search);
    const campaign = {};
    for (const name of ["source", "medium", "campaign", "term", "content"])
      if (query.has("utm_" + name)) campaign[name === "campaign" ? "name" : name] = query.get("utm_" + name);
    if (Object.keys(campaign).length) found.campaign = campaign;
    const stamped = { ...(site() ? { site: true } : {}), ...said };
    if (Object.keys(stamped).length) found.consent = { categoryPreferences: stamped };
    return found;
  }

  function say(type, fields, { own = false, consent: said, isRefusal } = {}) {
    if (!own && decided === false) return;
    const call = {
      type,
      messageId: uuid(),
      anonymousId: anonymousId(),
      userId: keep.get("user") || undefined,
      timestamp: new Date().toISOString(),
      context: context(said),
      ...fields,
    };
    if (type === "page" && tagged) {
      call.context.page.url = tagged;
      tagged = "";
    }
    if (isRefusal) call.context = { consent: call.context.consent }; // it may stay for long: nothing of the page
    if (own || site()) enqueue("", call, isRefusal ? UNTOLD : QUEUE);
    else if (held.push(call) > HELD_MAX) held.splice(1, 1); // the first holds the tag of a click
  }

  const plain = (value) => (value && typeof value === "object" ? value : {});

  function page(name, properties) {
    const named = typeof name === "string";
    say("page", { name: named ? name : document.title, properties: plain(named ? properties : name) });
  }

  function track(event, properties) {
    if (!event || typeof event !== "string") return warn("track needs the name of an event");
    say("track", { event, properties: plain(properties) });
  }

  function identify(userId, traits) {
    const isNamed = typeof userId === "string" || typeof userId === "number";
    if (isNamed) keep.set("user", String(userId));
    say("identify", { traits: plain(isNamed ? traits : userId) }, { own: true });
  }

  const CART = {
    viewed: "Product Viewed",
    added: "Product Added",
    removed: "Product Removed",
    wished: "Product Added to Wishlist",
    opened: "Cart Viewed",
    checkout: "Checkout Started",
    ordered: "Order Completed",
  };

  function cart(what, properties) {
    if (!CART[what]) return warn("cart knows " + Object.keys(CART).join(", "));
    track(CART[what], properties);
  }

  function reset() {
    keep.remove("user");
    keep.remove("id");
    setCookie("", 0);
    clear();
    attend();
  }

  // ---------------------------------------------------------------------------------- sending

  let sending = false;
  let failures = 0;
  let timer = 0;
  let number = 0;

  const order = (name) => name.slice(name.indexOf(".") + 1);
  const queued = () => [...keep.names(QUEUE), ...keep.names(UNTOLD)].sort((a, b) => (order(a) < order(b) ? -1 : 1));

  function enqueue(path, body, queue = QUEUE) {
    const text = attempt(() => JSON.stringify({ path, body }));
    if (!text) return warn("a call that is no JSON was left out");
    if (bytes(text) > CALL_BYTES_MAX) return warn("a call of more than 32 KB was left out");
    const at = Date.now().toString(36) + (number++ % 1296).toString(36).padStart(2, "0");
    keep.set(`${queue}${at}.${body.messageId}`, text);
    const names = keep.names(queue);
    names.slice(0, Math.max(0, names.length - QUEUE_MAX)).forEach(keep.remove);
    wake(GATHER_MS);
  }

  /** Return the next request: a batch of calls, or one response to an engagement; null if nothing waits. */
  function pack(passed = new Set()) {
    const parcel = { path: "", names: [], bodies: [], size: 0 };
    const oldest = Date.now() - QUEUE_HOURS_MAX * 3600000;
    for (const name of queued()) {
      if (passed.has(name)) continue;
      const item = parse(keep.get(name));
      const isOld = parseInt(order(name).slice(0, 8), 36) < oldest;
      if (!item || (isOld && !name.startsWith(UNTOLD))) {
        keep.remove(name);
        continue;
      }
      const body = JSON.stringify(item.body);
      const size = bytes(body);
      const isFull = parcel.names.length >= PARCEL_CALLS_MAX || parcel.size + size > PARCEL_BYTES_MAX;
      if (parcel.names.length && (isFull || item.path || parcel.path)) break;
      parcel.path = item.path;
      parcel.size += size;
      parcel.names.push(name);
      parcel.bodies.push(body);
    }
    if (!parcel.names.length) return null;
    if (parcel.path) return { ...parcel, body: parcel.bodies[0] };
    const head = JSON.stringify({ writeKey, sentAt: new Date().toISOString() }).slice(0, -1);
    return { ...parcel, path: "/v1/batch", body: `${head},"batch":[${parcel.bodies.join(",")}]}` };
  }

  /** Post as text/plain, which needs no preflight; return the status, 0 when there was no answer. */
  async function post(path, body) {
    const stop = new AbortController();
    const end = setTimeout(() => stop.abort(), REQUEST_MS_MAX);
    try {
      const answer = await fetch(base + path, {
        method: "POST",
        headers: { "Content-Type": "text/plain" },
        body,
        credentials: "omit",
        keepalive: true,
        signal: stop.signal,
      });
      return { status: answer.status, pause: 1000 * (Number(answer.headers.get("Retry-After")) || 0) };
    } catch {
      return { status: 0, pause: 0 };
    } finally {
      clearTimeout(end);
    }
  }

  const isForLater = (status) => !status || status === 408 || status === 429 || status >= 500;

  function backOff(count) {
    return jitter(Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.min(count, 10)));
  }

  function wake(ms) {
    if (timer || sending) return;
    timer = setTimeout(flush, failures ? Math.max(ms, backOff(failures - 1)) : ms);
  }

  async function flush() {
    clearTimeout(timer);
    timer = 0;
    if (sending) return;
    sending = true;
    let pause = 0;
    for (let parcel = pack(); parcel; parcel = pack()) {
      const answer = await post(parcel.path, parcel.body);
      if (isForLater(answer.status)) {
        failures += 1;
        pause = Math.max(1, Math.min(answer.pause, RETRY_MS_MAX));
        break;
      }
      failures = 0;
      parcel.names.forEach(keep.remove);
      if (answer.status >= 400 && !parcel.path.includes("/engagements/"))
        warn(`the gateway refused ${parcel.names.length} calls (${answer.status})`);
    }
    sending = false;
    if (pause) wake(pause);
  }

  /** Hand what waits to the browser. A beacon brings no answer: what is not seen to arrive is told again later. */
  function beacon() {
    const passed = new Set();
    for (let parcel = pack(); parcel; parcel = pack(passed)) {
      const blob = new Blob([parcel.body], { type: "text/plain" });
      if (!navigator.sendBeacon || !navigator.sendBeacon(base + parcel.path, blob)) return;
      parcel.names.forEach((name) => passed.add(name));
    }
    clearTimeout(timer);
    timer = 0;
    if (passed.size) wake(5000);
  }

  // ---------------------------------------------------------------------------------- pages, depth, time

  const began = Date.now();
  let shownAt = isVisible() ? Date.now() : 0;
  let visibleMs = 0;
  let deepest = 0;
  let leftTold = false;
  let here = location.pathname + location.search;

  function measure() {
    const height = document.documentElement.scrollHeight;
    if (height) deepest = Math.max(deepest, Math.min(100, Math.round((100 * (scrollY + innerHeight)) / height)));
  }

  /** Tell how long a page was visible and how far it was read; told again, only what has come since. */
  function left(path) {
    if (shownAt) visibleMs += Date.now() - shownAt;
    shownAt = 0;
    measure();
    if (leftTold && visibleMs < 1000) return;
    leftTold = true;
    const seconds = Math.round(visibleMs / 100) / 10;
    visibleMs = 0;
    say("track", { event: "Page Left", properties: { path, seconds_visible: seconds, scroll_percent: deepest } });
  }

  function arrive() {
    shownAt = isVisible() ? Date.now() : 0;
    visibleMs = deepest = 0;
    leftTold = false;
    if (option("auto-page") !== "off") page();
  }

  function moved() {
    const now = location.pathname + location.search;
    if (now === here) return;
    const from = location.origin + here;
    left(here.split("?")[0]);
    here = now;
    referrer = from;
    setTimeout(arrive, 0); // the site sets its title after the address
  }

  function watchPages() {
    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = function (...rest) {
        const result = original.apply(this, rest);
        moved();
        return result;
      };
    }
    addEventListener("popstate", moved);
    addEventListener("scroll", measure, { passive: true });
    document.addEventListener("visibilitychange", () => {
      if (isVisible()) {
        shownAt = Date.now();
        attend();
        wake(GATHER_MS);
        if (isTouched()) setTimeout(leaving, 600); // who comes back was about to leave
      } else {
        left(location.pathname);
        beacon();
        closeStream();
      }
    });
    addEventListener("pagehide", () => {
      if (shownAt) left(location.pathname);
      attempt(() => sessionStorage.setItem(PREFIX + "tab", tab));
      beacon();
      closeStream();
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      attempt(() => sessionStorage.removeItem(PREFIX + "tab"));
      arrive();
      attend();
    });
    addEventListener("storage", (event) => {
      if (event.key !== PREFIX + "consent") return;
      decide((parse(event.newValue) || {}).site === true);
      if (decided) release();
    });
    addEventListener("online", () => {
      failures = 0;
      flush();
    });
  }

  // ---------------------------------------------------------------------------------- forms and clicks

  // Of a name's words ("card number" of cardNumber and card_number); in doubt a field is left out.
  const SECRET_WORDS = [
    "(?!(com|by)pass)\\w*pass((conf|n)\\w*)?", // userpass, not compass, passenger
    "pw|csc\\w*|security ?code|\\w*ssn(last)?|\\w*otp(code)?",
    "\\w*secret(?!ar)\\w*", // not secretary
    "(card|login|my|user)?pin", // not spin
    "(?!(dis|post|score|wild)card)\\w*card([^\\Wib]\\w*|id)?", // not discard, cardigan, cardboard
    "cc ?(n\\w*|exp\\w*)|expir\\w*(?! of\\b)|exp ?(date|month|year)",
  ];
  const SECRET_WORD = new RegExp(`\\b(${SECRET_WORDS.join("|")})\\d*\\b`, "i");
  const SECRET_PART = /passwor|passwd|passphrase|passcode|passkey|passport|pwd|token|cv[vcn]|ccv|iban/i;
  const SECRET_FILL = /^cc-|password|one-time-code/;

  /** Say whether a text holds the number of a card (Luhn, ISO/IEC 7812) or of an account (IBAN, ISO 13616). */
  function holdsNumber(text) {
    const cards = text.match(/\d(?:[ .-]?\d){12,18}/g) || [];
    const accounts = text.match(/\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b/gi) || [];
    return cards.some(isCard) || accounts.some(isAccount);
  }

  function isCard(text) {
    let sum = 0;
    [...text.replace(/\D/g, "")].reverse().forEach((digit, at) => {
      const twice = at % 2 ? 2 * digit : +digit;
      sum += twice > 9 ? twice - 9 : twice;
    });
    return sum % 10 === 0;
  }

  function isAccount(text) {
    const plain = text.replace(/ /g, "");
    const digits = (plain.slice(4) + plain.slice(0, 4)).replace(/[A-Z]/gi, (letter) => parseInt(letter, 36));
    return [...digits].reduce((rest, digit) => (10 * rest + +digit) % 97, 0) === 1;
  }

  function isSecretName(name) {
    const words = name.replace(/([a-z\d])([A-Z])/g, "$1 $2").replace(/[\W_]+/g, " ");
    return SECRET_WORD.test(words) || SECRET_PART.test(name);
  }

  function textOf(field) {
    if (field.type !== "select-multiple") return String(field.value ?? "");
    return [...field.selectedOptions].map((option) => option.value).filter(Boolean).join(", ");
  }

  /** Return what is ticked of the boxes of one name; true or false where that is all they say. */
  function ticked(boxes) {
    const isBare = (box) => !box.hasAttribute("value") || (!boxes[1] && /^(1|on|yes|true)$/i.test(box.value));
    const checked = boxes.filter((box) => box.checked);
    const values = checked.filter((box) => !isBare(box)).map((box) => box.value.trim());
    return cut(values.filter(Boolean).join(", "), TEXT_MAX) || checked.length > 0;
  }

  function isSecret(field) {
    return (
      /^(password|file|hidden|submit|button|image|reset|output)$/.test(field.type) ||
      isSecretName(`${field.name} ${field.id}`) ||
      (field.getAttribute("autocomplete") || "").split(/\s+/).some((part) => SECRET_FILL.test(part)) ||
      field.hasAttribute("data-mdma-ignore") ||
      holdsNumber(textOf(field))
    );
  }

  /** Return how much a field is wanted of a long form; who has the same name and less of it does not overwrite it. */
  const rank = (field) => (field.hasAttribute("data-mdma-trait") ? 2 : +(field.type === "email"));

  function sent(event) {
    // Asked of the prototypes: a field named `elements` or `getAttribute` hides what the form itself has.
    const form = event.target;
    const ofForm = (name) => Element.prototype.getAttribute.call(form, name);
    if (!(form instanceof HTMLFormElement) || ofForm("data-mdma-form") === null) return;
    const fields = Object.getOwnPropertyDescriptor(HTMLFormElement.prototype, "elements").get.call(form);
    const traits = {};
    const ranks = new Map();
    const said = {};
    const boxes = new Map();
    for (const field of [...fields].sort((a, b) => rank(b) - rank(a))) {
      const category = field.getAttribute("data-mdma-consent");
      if (category) {
        if (field.checked) said[category] = true; // an empty box takes nothing back
        continue;
      }
      const name = field.getAttribute("data-mdma-trait") || (field.type === "email" ? "email" : field.name);
      if (!name || field.disabled || isSecret(field) || ranks.get(name) > rank(field)) continue;
      if (!ranks.has(name) && ranks.size >= FORM_FIELDS_MAX) continue;
      const tell = (value) => {
        ranks.set(name, rank(field));
        traits[name] = value;
      };
      if (field.type === "checkbox") {
        boxes.set(name, [...(boxes.get(name) || []), field]);
        tell(ticked(boxes.get(name)));
      } else if (field.type !== "radio" || field.checked) {
        const value = cut(textOf(field), TEXT_MAX).trim();
        if (value) tell(value);
      }
    }
    say("identify", { traits }, { own: true, consent: said });
    say("track", { event: "Form Submitted", properties: { form: ofForm("data-mdma-form") } }, { own: true });
    flush();
  }

  function pressed(event) {
    const element = event.target.closest && event.target.closest("[data-mdma-track]");
    if (element) track(element.getAttribute("data-mdma-track"), parse(element.getAttribute("data-mdma-properties")));
  }

  // ---------------------------------------------------------------------------------- engagements: getting them

  // A copied tab takes the session's storage along: the id is there only between two pages.
  const tab = attempt(() => sessionStorage.getItem(PREFIX + "tab")) || uuid();
  attempt(() => sessionStorage.removeItem(PREFIX + "tab"));
  const TYPES = ["notice_bar", "opinion_form", "chat_invitation", "exit_offer"];
  const WAITING_MAX = 10;
  const ANSWERED_MAX = 20;
  const POLL_MS = 15000;
  const CONNECT_MS_MAX = 8000;
  const EXIT_AFTER_MS = 1000;
  const THANKS_MS = 7000;
  const waiting = []; // offered, not shown
  const finished = new Set();
  const others = attempt(() => new BroadcastChannel("mdma:" + writeKey));
  let open = null; // {engagement, close}
  let reserving = false;
  let stream = null;
  let polling = 0;
  let mayStream = typeof EventSource === "function";
  let cursor = "";
  let pollFailures = 0;

  /** Have one way to the server open while this tab is looked at; hidden tabs cost nobody a connection. */
  function attend() {
    if (!site() || !isVisible() || option("engagements") === "off" || stream || polling) return;
    if (mayStream) openStream();
    else poll();
  }

  function address() {
    const query = { visitor: anonymousId(), writeKey, ...(cursor ? { after: cursor } : {}) };
    return `${base}/v1/engagements?${new URLSearchParams(query)}`;
  }

  function openStream() {
    const source = (stream = new EventSource(address()));
    const giveUp = () => {
      if (stream !== source) return;
      closeStream();
      mayStream = false;
      attend();
    };
    const end = setTimeout(giveUp, CONNECT_MS_MAX); // a proxy that holds streams back answers nothing
    source.onopen = () => clearTimeout(end);
    // EventSource comes back by itself; closed, it was refused, and only a poll is told why.
    source.onerror = () => source.readyState === EventSource.CLOSED && giveUp();
    source.addEventListener("engagement", (event) => {
      cursor = event.lastEventId || cursor;
      offer(parse(event.data));
    });
    source.addEventListener("withdrawn", (event) => {
      cursor = event.lastEventId || cursor;
      withdraw((parse(event.data) || {}).id);
    });
  }

  function closeStream() {
    if (stream) stream.close();
    clearTimeout(polling);
    stream = null;
    polling = 0;
  }

  async function poll() {
    const turn = (polling = setTimeout(() => {}, 0));
    const stop = new AbortController();
    const end = setTimeout(() => stop.abort(), REQUEST_MS_MAX);
    let pause = 0;
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch(address(), { headers, credentials: "omit", signal: stop.signal });
      if (answer.status >= 400 && !isForLater(answer.status)) return; // refused: asking again changes nothing
      if (!answer.ok) throw answer;
      const found = await answer.json();
      cursor = found.cursor || cursor;
      (found.withdrawn || []).forEach(withdraw);
      (found.engagements || []).forEach(offer);
      pollFailures = 0;
      pause = jitter(Math.max(1000, 1000 * found.poll_seconds || POLL_MS));
    } catch {
      pause = Math.max(POLL_MS, backOff(pollFailures++));
    } finally {
      clearTimeout(end);
    }
    if (polling === turn) polling = setTimeout(poll, pause);
  }

  /** Take an engagement that can be read. `expires_at` is world time, which may run faster: only the server judges it. */
  function offer(engagement) {
    if (!engagement || typeof engagement.id !== "string" || !TYPES.includes(engagement.type)) return;
    const isKnown = (each) => each && each.id === engagement.id;
    if (finished.has(engagement.id) || answered().includes(engagement.id)) return;
    if (waiting.some(isKnown) || (open && isKnown(open.engagement))) return;
    if (!engagement.content || waiting.length >= WAITING_MAX) return;
    waiting.push(engagement);
    next();
  }

  /** Return the ids that were answered here: the next page may ask before the server has taken the answer. */
  function answered() {
    return parse(keep.get("answered")) || [];
  }

  function withdraw(id) {
    finished.add(id);
    const at = waiting.findIndex((each) => each.id === id);
    if (at >= 0) waiting.splice(at, 1);
    if (open && open.engagement.id === id) open.close();
  }

  function next() {
    reserve(waiting.find((each) => each.trigger !== "exit"));
  }

  /** Someone is about to leave: now or never. */
  function leaving() {
    if (Date.now() - began >= EXIT_AFTER_MS) reserve(waiting.find((each) => each.trigger === "exit"));
  }

  /** Show an engagement if the server gives it to this tab. */
  async function reserve(engagement) {
    if (!engagement || open || reserving || !isVisible() || !site()) return;
    reserving = true;
    const body = JSON.stringify({ visitor: anonymousId(), writeKey, messageId: uuid(), tab });
    let answer = { status: 0 };
    for (let tries = 0; tries < 3 && isForLater(answer.status); tries++) {
      if (tries) await new Promise((done) => setTimeout(done, backOff(tries - 1)));
      answer = await post(`/v1/engagements/${encodeURIComponent(engagement.id)}/shown`, body);
    }
    reserving = false;
    const isOurs = answer.status === 200 && !finished.has(engagement.id);
    withdraw(engagement.id);
    if (isOurs) show(engagement);
    else next();
  }

  function respond(engagement, response, answers) {
    const body = { visitor: anonymousId(), writeKey, messageId: uuid(), tab, ...(answers ? { answers } : {}) };
    enqueue(`/v1/engagements/${encodeURIComponent(engagement.id)}/${response}`, body);
    flush();
    const { id, type, name } = engagement;
    keep.set("answered", JSON.stringify([...answered(), id].slice(-ANSWERED_MAX)));
    document.dispatchEvent(new CustomEvent("mdma:engagement", { detail: { id, type, name, response, answers } }));
  }

  function watchExit() {
    document.documentElement.addEventListener("mouseleave", (event) => event.clientY <= 0 && leaving());
    let top = scrollY;
    let at = 0;
    addEventListener(
      "scroll",
      () => {
        const now = Date.now();
        if (now - at > 300 || scrollY > top) [top, at] = [scrollY, now];
        else if (top - scrollY > 300 && isTouched()) leaving(); // fast upwards
      },
      { passive: true },
    );
    if (others) {
      others.onmessage = ({ data }) => withdraw(data);
    }
  }

  // ---------------------------------------------------------------------------------- engagements: showing them

  const STYLE = `
    :host { all: initial; color-scheme: light dark; --a: var(--mdma-accent, #1d5c4d); --on: var(--mdma-on-accent, #fff);
      --ink: #1b1f1d; --soft: #505954; --paper: #fff; --line: #c9d1cc; --field: #78827c; }
    @media (prefers-color-scheme: dark) { :host { --a: var(--mdma-accent, #8fd3bd); --on: var(--mdma-on-accent, #0c2019);
      --ink: #f0f3f1; --soft: #b8c2bc; --paper: #1c2320; --line: #3b4641; --field: #8b9690; } }
    * { box-sizing: border-box; }
    .box { font: 400 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); text-align: start;
      border: 1px solid var(--line); box-shadow: 0 8px 32px #0003; overflow-wrap: anywhere; }
    .bar, .panel { position: fixed; z-index: 2147483647; }
    .bar { inset: auto 0 0; border-width: 1px 0 0; display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.25rem;
      padding: .75rem 4rem calc(.75rem + env(safe-area-inset-bottom)) 1.5rem; justify-content: center; }
    .bar h2 { display: inline; margin-inline-end: .5rem; } .bar p { display: inline; }
    .bar .words { max-width: 44rem; } .bar .row { margin: 0; } .bar .quiet { display: none; }
    .panel { right: 1rem; bottom: calc(1rem + env(safe-area-inset-bottom)); width: min(24rem, calc(100vw - 2rem));
      max-height: calc(100dvh - 2rem); overflow: auto; border-radius: 14px; padding: 1.25rem 1.5rem 1.5rem; }
    .panel .button { padding-inline: 1rem; }
    dialog { width: min(30rem, calc(100vw - 2rem)); border-radius: 16px; padding: 2rem; margin: auto; }
    dialog::backdrop { background: #0008; }
    h2 { font-size: 1.125rem; line-height: 1.35; font-weight: 650; margin: 0 2rem .25rem 0; }
    dialog h2 { font-size: 1.5rem; line-height: 1.25; margin-bottom: .5rem; }
    p { margin: 0; color: var(--soft); white-space: pre-line; }
    .bar h2, .bar p { font-size: 1rem; }
    form { margin: 0; } fieldset { border: 0; margin: 1rem 0 0; padding: 0; min-width: 0; }
    legend, .label { display: block; font-weight: 600; padding: 0; margin: 0 0 .375rem; }
    .field { margin-top: 1rem; }
    .option { display: flex; gap: .625rem; align-items: center; padding: .375rem 0; min-height: 2.25rem; cursor: pointer; }
    .rating { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
    input { accent-color: var(--a); width: 1.125rem; height: 1.125rem; margin: 0; flex: none; }
    textarea { font: inherit; color: inherit; background: transparent; width: 100%; min-height: 4.5rem; padding: .5rem .75rem;
      border: 1px solid var(--field); border-radius: 8px; resize: vertical; display: block; }
    .row { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
    .button { font: inherit; font-weight: 600; line-height: 1.25; min-height: 2.75rem; padding: .625rem 1.25rem; cursor: pointer;
      border: 1px solid var(--a); border-radius: 10px; background: var(--a); color: var(--on); text-decoration: none;
      display: inline-flex; align-items: center; }
    .quiet { background: transparent; color: var(--ink); border-color: var(--field); }
    .button:hover { filter: brightness(1.1); } .quiet:hover, .close:hover { background: #8882; filter: none; }
    .close { position: absolute; top: .5rem; right: .5rem; width: 2.75rem; height: 2.75rem; border: 0; border-radius: 50%;
      background: transparent; color: var(--soft); font: 1.5rem/1 system-ui, sans-serif; cursor: pointer; }
    :focus-visible { outline: 3px solid var(--a); outline-offset: 2px; }
    .thanks { color: var(--ink); font-weight: 600; margin-inline-end: 2rem; }
    .told { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    @media (max-width: 40rem) { .bar { justify-content: flex-start; padding-inline-start: 1rem; }
      dialog { padding: 1.5rem; } }
    @media (prefers-reduced-motion: no-preference) { .box { animation: in .25s ease-out; }
      @keyframes in { from { opacity: 0; transform: translateY(12px); } } }
    @media print { .box { display: none; } }
  `;

  /** Make an element; `children` are elements or text, never HTML. */
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter(Boolean));
    return element;
  }

  /** Return the address a link may have, empty for everything that is not http(s). */
  function safeUrl(text) {
    const url = attempt(() => new URL(text, location.href));
    return url && /^https?:$/.test(url.protocol) ? url.href : "";
  }

  function addStyle(root) {
    try {
      const sheet = new CSSStyleSheet(); // no policy for styles forbids these
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } catch {
      root.append(make("style", {}, STYLE));
    }
  }

  function question(field, at) {
    const name = cut(field.name, 100);
    const label = cut(field.label, 200) || name;
    const required = at ? {} : { required: "" };
    if (field.kind === "text")
      return make("div", { class: "field" },
        make("label", { class: "label", for: "f" + at }, label),
        make("textarea", { id: "f" + at, name, maxlength: TEXT_MAX, ...required }));
    const scale = field.kind === "rating" ? ["1", "2", "3", "4", "5"] : [];
    const given = Array.isArray(field.options) && field.options.length ? field.options : scale;
    const options = given.slice(0, 12).map((option) => {
      const value = cut(String(option), 200);
      return make("label", { class: "option" }, make("input", { type: "radio", name, value, ...required }), value);
    });
    return make("fieldset", {}, make("legend", {}, label),
      make("div", field.kind === "rating" ? { class: "rating" } : {}, ...options));
  }

  function show(engagement) {
    const { type, content } = engagement;
    const isModal = type === "exit_offer" && typeof HTMLDialogElement === "function";
    const isBar = type === "notice_bar";
    const title = cut(content.title, 200) || "Notice";
    const host = make("div", { "data-mdma-engagement": type });
    const root = host.attachShadow({ mode: "open" });
    const told = make("div", { class: "told", role: "status" });
    const words = make("div", { class: "words" },
      make("h2", { id: "title" }, title), " ", content.text && make("p", { id: "text" }, cut(content.text, 2000)));
    const body = type === "opinion_form" ? make("form", {}, words) : make("div", {}, words);
    const row = make("div", { class: "row" });
    // There before it has something to say, or no screen reader says it.
    const thanks = make("p", { class: "thanks", role: "status" });
    const kind = isModal ? "" : isBar ? "bar" : "panel";
    const role = isModal ? {} : isBar ? { role: "region" } : { role: "dialog", "aria-modal": "false" };
    const box = make(isModal ? "dialog" : "div", { class: "box " + kind, "aria-labelledby": "title", ...role });
    let before = null; // what had the focus outside

    function close() {
      document.removeEventListener("keydown", onKey);
      const isInside = document.activeElement === host;
      if (isModal && box.open) box.close(); // gives the focus back by itself
      host.remove();
      open = null;
      if (!isModal && isInside && before && before.isConnected) before.focus();
      setTimeout(next, 1000);
    }

    function answer(response, answers) {
      if (!open || open.close !== close) return;
      if (open.engagement !== engagement) return close(); // thanked for already
      // Closed once the browser follows the link: taken away at once, there would be none to follow.
      if (response === "clicked") closeIn(0);
      else if (response === "submitted") thank();
      else close();
      respond(engagement, response, answers);
    }

    /** Say thanks where the form was. What was answered is withdrawn soon: that takes no thanks away. */
    function thank() {
      closeIn(THANKS_MS);
      const isInside = document.activeElement === host;
      body.remove();
      thanks.id = "title"; // it names the box from now on
      thanks.append(cut(content.thanks, 200) || "Thank you, your answer helps us.");
      cross.setAttribute("aria-label", "Close");
      if (isInside) cross.focus();
    }

    function closeIn(ms) {
      open = { engagement: { id: "" }, close };
      setTimeout(() => answer(), ms);
    }

    function onKey(event) {
      if (event.key === "Escape" && !event.defaultPrevented) {
        event.preventDefault();
        answer("dismissed");
      }
    }

    function button(label, quiet, onClick) {
      const made = make("button", { type: "button", class: "button" + (quiet ? " quiet" : "") }, cut(label, 60));
      made.addEventListener("click", onClick);
      return made;
    }

    if (type === "opinion_form") {
      const fields = Array.isArray(content.fields) ? content.fields.slice(0, 8) : [];
      body.append(...fields.map((field, at) => question(plain(field), at)));
      row.append(make("button", { class: "button" }, cut(content.submit, 60) || "Send"));
      body.addEventListener("submit", (event) => {
        event.preventDefault();
        event.stopPropagation();
        const answers = {};
        const scales = fields.filter((field) => plain(field).kind === "rating").map((field) => field.name);
        for (const [name, value] of new FormData(body)) {
          const said = String(value).trim();
          if (said) answers[name] = scales.includes(name) && said === String(+said) ? +said : said;
        }
        answer("submitted", answers);
      });
    } else if (plain(content.action).label) {
      const url = content.action.url ? safeUrl(content.action.url) : "";
      const label = cut(content.action.label, 60);
      const action = url ? make("a", { class: "button", href: url }, label) : button(label, false, () => {});
      action.addEventListener("click", () => answer("clicked"));
      if (url || !content.action.url) row.append(action);
    }
    if (content.dismiss) row.append(button(content.dismiss, true, () => answer("dismissed")));
    const cross = make("button", { type: "button", class: "close", "aria-label": cut(content.dismiss, 60) || "Close" }, "×");
    cross.addEventListener("click", () => answer("dismissed"));

    if (row.childNodes.length) body.append(row);
    if (isBar) box.append(words, row, cross);
    else box.append(body, thanks, cross);
    addStyle(root);
    root.append(box, told);
    document.body.append(host);
    open = { engagement, close };
    if (others) others.postMessage(engagement.id);
    if (isModal) {
      if (content.text) box.setAttribute("aria-describedby", "text");
      box.showModal();
      box.addEventListener("cancel", (event) => {
        event.preventDefault();
        answer("dismissed");
      });
      box.addEventListener("click", (event) => event.target === box && isOutside(box, event) && answer("dismissed"));
    } else {
      // It takes no focus from what the visitor does: a screen reader says that it is there.
      root.addEventListener("focusin", (event) => {
        if (event.relatedTarget && !root.contains(event.relatedTarget)) before = event.relatedTarget;
      });
      document.addEventListener("keydown", onKey);
      setTimeout(() => told.append(title), 150);
    }
  }

  function isOutside(box, { clientX: x, clientY: y }) {
    const edge = box.getBoundingClientRect();
    return x < edge.left || x > edge.right || y < edge.top || y > edge.bottom;
  }

  // ---------------------------------------------------------------------------------- begin

  const mdma = { version: VERSION, page, track, identify, consent, cart, reset, anonymousId, flush };
  mdma.push = (...calls) => {
    for (const call of calls) {
      const [name, ...rest] = Array.isArray(call) ? call : [call];
      if (name !== "push" && typeof mdma[name] === "function") mdma[name](...rest);
      else warn("there is no " + name);
    }
  };

  function begin() {
    const early = Array.isArray(window.mdma) ? window.mdma : [];
    window.mdma = mdma;
    if (site()) openDevice();
    watchPages();
    watchExit();
    document.addEventListener("submit", sent, true);
    document.addEventListener("click", pressed, true);
    // What a site says first stands first: its consent, then the page.
    const isConsent = (call) => call && call[0] === "consent";
    early.filter(isConsent).forEach((call) => mdma.push(call));
    arrive();
    early.filter((call) => !isConsent(call)).forEach((call) => mdma.push(call));
    if (document.body) attend();
    else document.addEventListener("DOMContentLoaded", attend);
    wake(GATHER_MS);
  }

  // A page that the browser makes ready in advance is not seen yet, and may never be.
  if (document.prerendering) document.addEventListener("prerenderingchange", begin, { once: true });
  else begin();
})();
