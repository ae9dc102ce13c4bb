// Node's own fetch, which keeps its connections: requests that are refused before their body is read, and others in between.
// Arguments: URL, API key. Prints a line of JSON.
const [url, key] = process.argv.slice(2);
const json = { "content-type": "application/json" };
const good = { ...json, "x-api-key": key, linked_account_id: "user_1" };
const path = "/api/v2/public/migrate-token";
const small = '{"slug":"custom","auth_object":{}}';
const streamed = () => new ReadableStream({
  async start(controller) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.enqueue(new TextEncoder().encode(small));
    controller.close();
  },
});
const cases = [
  ["PUT", path, json, () => small, 401],
  ["PUT", path, json, streamed, 401],
  ["PUT", "/nowhere", good, streamed, 404],
  ["POST", path, good, streamed, 405],
  ["PUT", path, { ...good, "content-type": "text/plain" }, streamed, 415],
  ["PUT", path, good, streamed, 200],
  ["GET", "/livez", {}, () => undefined, 200],
];
let answered = 0;
for (let round = 0; round < 10; round += 1) {
  for (const [method, target, headers, body, expected] of cases) {
    const answer = await fetch(url + target, { method, headers, body: body(), duplex: "half" });
    await answer.text();
    if (answer.status !== expected) throw new Error(`${method} ${target}: ${answer.status}`);
    answered += 1;
  }
}
console.log(JSON.stringify({ answered }));
