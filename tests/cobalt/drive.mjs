// Drives @cobaltio/cobalt-js, a third-party SDK, against the server at KEYFERRY_URL. Each line of the standard input is one
// call, {"call", "arguments", "token"}; the result is one line, {"value"} or {"error"}, or {"value": null} for none.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.KEYFERRY_COBALT, "package.json"));
const { Cobalt } = require("@cobaltio/cobalt-js");

for await (const line of createInterface({ input: process.stdin })) {
    const { call, arguments: given, token } = JSON.parse(line);
    const sdk = new Cobalt({ baseUrl: process.env.KEYFERRY_URL, token });
    let answer;
    try {
        answer = { value: (await sdk[call](...given)) ?? null };
    } catch (error) {
        answer = { error: error.message };
    }
    console.log(JSON.stringify(answer));
}
