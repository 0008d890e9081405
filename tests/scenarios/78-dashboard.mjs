// SPDX-License-Identifier: Apache-2.0
// The dashboard in a real browser: every figure on screen against what the agents' sockets say, names full of markup, the
// keyboard, contrast, narrow screens, foreign pages.   78-dashboard.mjs ADDRESS RUNTIME_OF_DEV RUNTIME_OF_PROD
// Environment: PLAYWRIGHT (the module's directory), CHROMIUM, SCREENSHOTS (a directory; none: none are kept), CALL (a program that makes
// one call in dev, of project live-call), PROD_PID (is stopped), AGENT (the
// stand-in, to be started again).
import { execFile, spawn } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { promisify } from "node:util";

const { chromium } = (await import(path.join(process.env.PLAYWRIGHT, "index.js"))).default;
const [address, dev, prod] = process.argv.slice(2);
const sockets = { dev: path.join(dev, "report.sock"), prod: path.join(prod, "report.sock") };
const origin = new URL(address).origin, port = new URL(address).port;
const ZONE = "Europe/Berlin", MARKUP = "<img src=x onerror=\"document.title='owned'\">";
let failures = 0;

function check(name, good, why = "") {
  if (!good) failures++;
  console.log(good ? `ok ${name}` : `not ok ${name}: ${String(typeof why === "string" ? why : JSON.stringify(why)).slice(0, 600)}`);
}
const is = (name, got, wanted) => check(name, got === wanted, `got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);

// ---- the oracle: the agent itself, without the dashboard in between ----

const askAgent = (environment, target) => new Promise((resolve, reject) => {
  http.get({ socketPath: sockets[environment], path: `/${target}`, agent: false }, answer => {
    let text = "";
    answer.setEncoding("utf8").on("data", part => { text += part; }).on("end", () => { try { resolve(JSON.parse(text)); } catch { reject(new Error(`${environment} ${target}: ${answer.statusCode} ${text.slice(0, 100)}`)); } });
  }).on("error", reject);
});

const nano = text => {
  const [, sign, whole, part] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  return BigInt(`${sign}${whole}${(part ?? "").padEnd(9, "0")}`);
};
const exact = value => (typeof value === "string" ? nano(value) : BigInt(value ?? 0));
function matches(row, of) {
  return Object.entries(of).every(([name, wanted]) => (wanted?.not ? !wanted.not.includes(row[name]) : row[name] === wanted));
}
function rowsOf(document, of) {
  if (of === "total") return [document.total];
  if (of === "document") return [document];
  if (of === "ledger") return [document.ledger];
  if (of.key === null) return [document[of.when]];
  if (of.key) return document.rows.filter(row => JSON.stringify(row.key) === JSON.stringify(of.key)).map(row => row[of.when]);
  return (document.rows ?? document.wallets ?? document.budgets ?? document.events).filter(row => matches(row, of));
}
const expected = (document, of, member) =>
  rowsOf(document, of).reduce((sum, row) => sum + member.split("+").reduce((part, name) => part + exact(row[name]), 0n), 0n);

// What stands there, as a number; below a cent and all.
const shown = text => (text.includes("$") ? nano(text.replace(/[$,]/g, "").replace("\u2212", "-")) : BigInt(text.replace(/,/g, "").replace("\u2212", "-")));

const collect = page => page.evaluate(() => [...document.querySelectorAll("[data-figure]")].map(element => ({
  environment: element.closest("[data-environment]")?.dataset.environment, source: element.closest("[data-source]")?.dataset.source,
  figure: element.dataset.figure, text: element.textContent })));

// What the agents foretell moves with every second: it must lie between what they said before and after.
const MOVING = ["burn_24h", "burn_7d", "projection_month", "forecast"];
const isBetween = (value, a, b) => (a < b ? a <= value && value <= b : b <= value && value <= a);
async function askMoving() {
  const found = new Map();
  for (const environment of ["dev", "prod"])
    for (const source of ["v1/wallets", "v1/budgets"]) found.set(`${environment} ${source}`, await askAgent(environment, source).catch(() => null));
  return found;
}

// Periods that end now move on while one looks: what differs is looked at again, anew.
async function compare(page, title) {
  let wrong = [], count = 0;
  for (let round = 0; round < 3; round++) {
    const before = await askMoving();
    await update(page);
    const figures = await collect(page), documents = new Map();
    wrong = [];
    count = figures.length;
    for (const one of figures) {
      const key = `${one.environment} ${one.source}`, [of, member] = JSON.parse(one.figure);
      if (!one.source || !sockets[one.environment]) throw new Error(`a figure of nowhere: ${JSON.stringify(one)}`);
      if (!documents.has(key)) documents.set(key, await askAgent(one.environment, one.source));
      const wanted = expected(documents.get(key), of, member), earlier = MOVING.includes(member) ? expected(before.get(key), of, member) : wanted;
      if (!isBetween(shown(one.text), earlier, wanted)) wrong.push({ ...one, wanted: String(wanted) });
    }
    if (wrong.length === 0) break;
  }
  check(`${title}: ${count} figures are the agents' own`, wrong.length === 0 && count > 30, { count, wrong: wrong.slice(0, 3) });
}

// ---- the page ----

const problems = [], foreign = [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--host-resolver-rules=MAP evil.test 127.0.0.1"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: ZONE, colorScheme: "light", reducedMotion: "reduce" });
const page = await context.newPage();
page.on("console", message => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
page.on("pageerror", error => problems.push(error.stack));
page.on("request", request => { if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) foreign.push(request.url()); });

const roundOf = () => page.evaluate(() => Number(document.body.dataset.round ?? 0));
async function update() {
  const before = await roundOf();
  await page.evaluate(() => document.getElementById("refresh").click());
  await page.waitForFunction(round => Number(document.body.dataset.round) > round, before, { timeout: 60000 });
}
async function changed(action) {
  const before = await roundOf();
  await action();
  await page.waitForFunction(round => Number(document.body.dataset.round) > round, before, { timeout: 60000 });
}
const picture = name => process.env.SCREENSHOTS && page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });

await page.goto(address);
await page.waitForURL(/\/[0-9a-f]{40}\//);
const home = page.url().split("#")[0];
await page.waitForSelector("body[data-round]", { timeout: 60000 });
check("the token is not in the page's address", !page.url().includes("token"));
is("no script can read the cookie", await page.evaluate(() => document.cookie), "");
is("both environments stand side by side", await page.evaluate(() => {
  const [a, b] = [...document.querySelectorAll("#spend [data-environment]")].map(box => box.getBoundingClientRect());
  return a.top === b.top && a.right <= b.left;
}), true);

// ---- figures ----

await compare(page, "7 days");
for (const name of ["dev", "prod"]) {
  await page.click(`[data-key=ledger-${name}]`);
  const answer = page.locator(`#overview [data-environment=${name}] .tile .badge`);
  await answer.waitFor();
  is(`what ${name} spent is what its ledger says`, await answer.textContent(), "equal");
}
for (const period of ["today", "30d", "this-month", "last-month"]) {
  await changed(() => page.click(`label[for=periods-${period}]`));
  await compare(page, period);
}
await changed(() => page.click("label[for=periods-30d]"));
await page.locator("#questions details").evaluateAll(all => all.forEach(one => { one.open = true; }));
for (const by of ["provider", "group", "executable", "project", "wallet"]) {
  await changed(() => page.selectOption("#by", by));
  await compare(page, `by ${by}`);
}
for (const measure of ["calls", "tokens"]) {
  await changed(() => page.selectOption("#measure", measure));
  await compare(page, `${measure} by wallet`);
}
await changed(() => page.selectOption("#measure", "cost"));
await changed(() => page.selectOption("#by", "model"));
await changed(() => page.click("#as-table"));
is("the chart is a table on demand", await page.locator("#spend table").count(), 2);
await compare(page, "the table");
const rows = await page.locator("#spend [data-environment=dev] tbody tr").count();
check("each day of the period has its row", rows === 31 || rows === 30, rows);
await picture("table-1280");
await changed(() => page.click("#as-table"));
await page.click("label[for=periods-custom]");
await page.click("#apply");
check("half a period is no period", (await page.textContent("#custom-problem")).includes("Both days"));
const day = offset => new Date(Date.now() - offset * 86400000).toISOString().slice(0, 10);
await page.fill("#from", day(9));
await page.fill("#to", day(2));
await changed(() => page.click("#apply"));
await compare(page, "eight days of the past");
await page.reload();
await page.waitForSelector("body[data-round]", { timeout: 60000 });
is("what was chosen outlives a reload", await page.inputValue("#from"), day(9));
await changed(() => page.click("label[for=periods-7d]"));
for (const show of ["dev", "prod"]) {
  await changed(() => page.click(`label[for=environments-${show}]`));
  is(`${show} alone`, (await page.locator("#overview [data-environment]").evaluateAll(all => all.map(one => one.dataset.environment))).join(), show);
}
await changed(() => page.click("label[for=environments-both]"));

// ---- names full of markup ----

await page.waitForSelector("#live-list tbody tr");
is("no markup of a name became an element", await page.evaluate(() => document.querySelectorAll("main img, main script, main iframe, main [onerror]").length), 0);
is("nobody's script ran", await page.title(), "Tollgate");
check("markup of a real agent's call, too", (await page.textContent("#routes [data-environment=dev]")).includes(MARKUP), await page.textContent("#routes [data-environment=dev]"));
for (const section of ["spend", "budgets", "routes", "refusals", "questions", "live", "leaks"])
  check(`markup is shown as it is: ${section}`, (await page.textContent(`#${section}`)).includes(MARKUP), (await page.textContent(`#${section}`)).slice(0, 300));

// ---- live: filter, pause, why ----

if (process.env.CALL) {
  await page.fill("#filter", "live-call");
  check("a call that was not made is not shown", (await page.textContent("#live-list")).includes("No call matches"));
  await promisify(execFile)(process.env.CALL);
  await page.waitForSelector("#live-list tbody tr", { timeout: 20000 }).catch(() => null);
  is("a call appears as it happens, without anybody's asking", await page.locator("#live-list tbody tr").count(), 1);
  await page.fill("#filter", "");
}
await page.click("#pause");
const all = await page.locator("#live-list tbody tr").count();
await page.fill("#filter", "no such thing");
check("a filter that nothing matches says so", (await page.textContent("#live-list")).includes("No call matches"));
await page.fill("#filter", "node");
const some = await page.locator("#live-list tbody tr").evaluateAll(found => found.map(row => row.textContent.includes("node")));
check("the filter filters", some.length > 0 && some.length < all && some.every(Boolean), [some.length, all]);
await page.fill("#filter", "");
await page.selectOption("#outcome", "refused");
check("outcomes filter", (await page.locator("#live-list tbody tr td:nth-child(3)").allTextContents()).every(text => text.startsWith("refused")));
await page.selectOption("#outcome", "all");
for (const whose of ["dev", "prod"]) {
  await page.fill("#filter", `${whose} openai`); // a call that got to a provider
  const button = page.locator("#live-list button.link").first();
  await button.focus();
  const id = (await button.getAttribute("data-key")).replace("why-", ""), event = await askAgent(whose, `v1/events/${id}`);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#detail[open] .steps li");
  await page.waitForResponse(answer => answer.url().includes(`/v1/events/${id}`), { timeout: 2000 }).catch(() => null);
  const detail = await page.textContent("#detail");
  check(`why, ${whose}: every step of the event`, event.steps.length > 0 && event.steps.every(step => detail.includes(step.step) && (!step.text || detail.includes(step.text))), detail);
  check(`why, ${whose}: every attempt of the event`, (event.attempts ?? []).every(one => detail.includes(one.target ?? one.provider)), detail);
  check(`why, ${whose}: whose it was`, [event.executable, event.group, event.wallet].filter(Boolean).every(text => detail.includes(text)), detail);
  await picture(`why-${whose}-1280`);
  await page.keyboard.press("Escape");
  is(`Escape closes it, ${whose}`, await page.locator("#detail[open]").count(), 0);
  is(`and the keyboard is where it was, ${whose}`, await page.evaluate(() => document.activeElement.dataset.key), `why-${id}`);
}
await page.fill("#filter", "");
await page.click("#pause");

// ---- the keyboard ----

const focused = () => page.evaluate(() => {
  const element = document.activeElement, ring = element.matches("input[type=radio]") ? element.nextElementSibling : element, style = getComputedStyle(ring);
  return { key: element.id || element.dataset.key || element.className || element.tagName, body: element === document.body,
    visible: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || element.matches(".skip") };
});
await page.reload();
await page.waitForSelector("body[data-round]", { timeout: 60000 });
await page.waitForSelector("#live-list tbody tr");
const walked = [];
for (let n = 0; n < 400; n++) {
  await page.keyboard.press("Tab");
  const one = await focused();
  if (one.body) break;
  walked.push(one);
}
is("the first stop skips to the figures", walked[0]?.key, "skip");
check("the keyboard gets everywhere and out again", walked.length < 400 && ["by", "measure", "as-table", "spend-chart", "filter", "outcome", "pause", "refresh"].every(key => walked.some(one => one.key === key)), walked.map(one => one.key));
check("what has the keyboard is seen to have it", walked.every(one => one.visible), walked.filter(one => !one.visible));
await page.focus(".skip");
await page.keyboard.press("Enter");
is("the skip link skips", await page.evaluate(() => document.activeElement.id), "main");
await page.focus("#periods-7d");
await changed(() => page.keyboard.press("ArrowRight"));
is("arrow keys choose the period", await page.evaluate(() => document.querySelector("#periods input:checked").value), "30d");
await changed(() => page.keyboard.press("ArrowLeft"));
await page.focus("#spend .chart");
for (const key of ["Home", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
const said = await page.textContent("#said");
check("arrow keys read the chart aloud", said.includes("$"), said);
await update();
check("new figures leave the bar where it was", await page.locator("#spend .hover").first().isVisible());
check("and show it", await page.locator("#spend .hover").first().isVisible());
await page.focus("#as-table");
await changed(() => page.keyboard.press("Space"));
is("the table's button says its state", await page.getAttribute("#as-table", "aria-pressed"), "true");
await changed(() => page.keyboard.press("Space"));
await page.focus("#refresh");
await page.keyboard.press("Tab");
is("updating leaves the keyboard alone", await (async () => { const before = await focused(); await update(); return (await focused()).key === before.key; })(), true);

// ---- seen by everybody ----

const contrast = () => page.evaluate(() => {
  const parse = text => (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const over = (top, below) => { const a = top[3] ?? 1; return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a)); };
  const light = color => color.slice(0, 3).map(value => value / 255).map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const ground = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const bad = [];
  let count = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const style = getComputedStyle(element);
    if (!element.getClientRects().length || style.visibility === "hidden" || element.closest(".unseen")) continue;
    const svg = element instanceof SVGElement, below = ground(svg ? element.closest("div") : element);
    const put = (kind, color, least) => {
      count++;
      const got = ratio(over(parse(color), below), below);
      if (got < least) bad.push(`${kind} ${element.tagName}.${element.getAttribute("class")} "${element.textContent.slice(0, 20)}" ${got.toFixed(2)}`);
    };
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (own) put("text", svg ? style.fill : style.color, isLarge ? 3 : 4.5);
    if (element.matches(".brick")) put("bar", style.fill, 3);
    if (element.matches(".meter .fill")) put("meter", style.fill, 3);
    if (element.matches(".swatch")) { count++; const got = ratio(parse(style.backgroundColor), ground(element.parentElement)); if (got < 3) bad.push(`swatch ${element.className} ${got.toFixed(2)}`); }
    if (element.matches("input[placeholder]")) put("placeholder", getComputedStyle(element, "::placeholder").color, 4.5);
  }
  return { count, bad: [...new Set(bad)] };
});
for (const width of [1280, 390])
  for (const scheme of ["light", "dark"]) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.waitForTimeout(300);
    const { count, bad } = await contrast();
    check(`contrast at ${width} px, ${scheme}: ${count > 200 ? "texts and bars" : count}`, count > 200 && bad.length === 0, bad.slice(0, 8));
    is(`the page does not scroll sideways at ${width} px, ${scheme}`, await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.body.scrollWidth <= innerWidth), true);
    await compare(page, `${width} px, ${scheme}`);
    await page.evaluate(() => scrollTo(0, 0));
    await picture(`${scheme}-${width}`);
  }
is("what is cut off can be scrolled to with the keyboard", await page.evaluate(() => [...document.querySelectorAll("main *")].filter(box => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX === "auto" && box.tabIndex < 0).length), 0);
is("nothing moves for who asked for that", await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior), "auto");
is("every control has a name", await page.evaluate(() => [...document.querySelectorAll("button, select, input")].filter(one => !(one.textContent.trim() || one.labels?.[0]?.textContent.trim() || one.ariaLabel)).length), 0);
is("headings do not skip a level", await page.evaluate(() => { let last = 0; return [...document.querySelectorAll("h1, h2, h3, h4")].filter(one => { const level = Number(one.tagName[1]), skips = level > last + 1; last = level; return skips; }).map(one => one.textContent).join(); }), "");
is("what is drawn anew gives the keyboard back", await page.evaluate(() => [...document.querySelectorAll("main .environment, #live-list")].flatMap(place => {
  const stops = [...place.querySelectorAll("button, a, summary, select, input, [tabindex]")].map(one => one.dataset.key);
  return stops.filter((key, i) => !key || stops.indexOf(key) !== i);
}).join()), "");
is("ids are unique", await page.evaluate(() => { const ids = [...document.querySelectorAll("[id]")].map(one => one.id); return ids.length - new Set(ids).size; }), 0);
await page.setViewportSize({ width: 1280, height: 900 });

// ---- foreign pages, in the same browser, with the session's cookie ----

const evil = http.createServer((request, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>evil</title>"));
await new Promise(resolve => evil.listen(0, "127.0.0.1", resolve));
const attacker = await context.newPage(), tried = [], got = [];
attacker.on("request", request => { if (request.url().includes(`:${port}/`)) tried.push(request.url()); });
attacker.on("response", answer => { if (answer.url().includes(`:${port}/`)) got.push(answer.status()); });
await attacker.goto(`http://127.0.0.1:${evil.address().port}/`);
is("a foreign page reads nothing", await attacker.evaluate(async target => {
  const tries = [{}, { mode: "no-cors", credentials: "include" }, { credentials: "include" }];
  return (await Promise.all(tries.map(options => fetch(target, options).then(answer => answer.text(), () => "")))).join("");
}, `${home}api/dev/v1/wallets`), "");
is("and shows nothing", await attacker.evaluate(target => Promise.all(["iframe", "img", "script", "embed"].map(name => new Promise(resolve => {
  const element = document.createElement(name);
  element.onload = () => resolve(name === "iframe" || name === "embed" ? element.contentDocument?.title ?? "" : "loaded");
  element.onerror = () => resolve("");
  setTimeout(resolve, 3000, "");
  element.src = target + { img: "icon.svg", script: "app.js" }[name];
  if (name === "iframe" || name === "embed") element.src = target;
  document.body.append(element);
}))).then(all => all.join("")), home), "");
check("frames, images, scripts and fetches of a foreign page get 403 or are dropped", tried.length >= 6 && got.every(status => status === 403), [tried.length, got]);
is("a name that was made to resolve to 127.0.0.1 gets 403", (await attacker.goto(`http://evil.test:${port}${new URL(home).pathname}`)).status(), 403);
check("and sees no figure", !(await attacker.textContent("body")).includes("$"));
const stranger = await browser.newContext();
const other = await stranger.newPage();
is("another browser gets 403", (await other.goto(home)).status(), 403);
is("and the used address does not open again", (await other.goto(address)).status(), 403);
await stranger.close();
await attacker.close();
evil.close();

// ---- an agent that goes away ----

if (process.env.PROD_PID) {
  process.kill(Number(process.env.PROD_PID));
  for (let n = 0; n < 50 && await askAgent("prod", "v1/hello").then(() => true, () => false); n++) await page.waitForTimeout(100);
  await update();
  check("an agent that went away is said to be away", (await page.textContent("#overview [data-environment=prod]")).includes("No agent of prod is running"));
  is("and has no figures any more", await page.locator("[data-environment=prod] [data-figure]").count(), 0);
  await compare(page, "dev goes on alone");
  await picture("prod-away-1280");
}

for (const [environment, mood, words] of process.env.AGENT ? [["prod", "closed", "You may not read prod"], ["dev", "", "not the agent of prod"]] : []) {
  const agent = spawn("python3", [process.env.AGENT, prod, environment, mood], { stdio: "ignore" });
  process.on("exit", () => agent.kill());
  for (let n = 0; n < 100 && await askAgent("prod", "v1/hello").then(one => one.environment, () => "") !== environment; n++) await page.waitForTimeout(100);
  await update();
  check(`it is said: ${words}`, (await page.textContent("#overview [data-environment=prod]")).includes(words), await page.textContent("#overview"));
  is(`and nothing else is: ${words}`, await page.locator("[data-environment=prod] [data-figure]").count(), 0);
  agent.kill();
}

is("no console error, no warning", problems.join(" | "), "");
is("nothing was loaded from elsewhere", foreign.join(" | "), "");
await browser.close();
process.exit(failures ? 1 : 0);
