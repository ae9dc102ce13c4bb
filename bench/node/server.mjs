// The same job the usual way: JSON Schema by ajv, a request to the provider over a connection that is kept, AES-256-GCM by
// node:crypto, one row in PostgreSQL. It is spared what it could be charged with: the API key is looked up in memory, and
// nothing is written to an audit trail.
import { createCipheriv, createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import Ajv from "ajv";
import pg from "pg";

const setting = JSON.parse(readFileSync(0, "utf8").split("\n")[0]);

const apiKeyHash = createHash("sha256").update(setting.api_key).digest();
const key = randomBytes(32);
const validate = new Ajv({ allErrors: true }).compile({
  type: "object",
  required: ["slug", "auth_object"],
  properties: {
    slug: { const: "stripe" },
    auth_object: {
      type: "object",
      required: ["keybased"],
      additionalProperties: false,
      properties: {
        keybased: {
          type: "object",
          required: ["api_key"],
          additionalProperties: false,
          properties: {
            api_key: { type: "string", minLength: 1, maxLength: 4096 },
            stripe_account: { type: "string", pattern: "^acct_[0-9A-Za-z]+$" },
          },
        },
      },
    },
  },
});

// Connections are kept for as long as it runs: by default they end after ten seconds without work, and what it takes to end them
// would fall into whatever is measured then.
const pool = new pg.Pool({
  host: setting.postgres_socket,
  user: "bench",
  database: "postgres",
  max: 32,
  idleTimeoutMillis: 0,
});
await pool.query(
  `CREATE TABLE integrations (
     account text NOT NULL, slug text NOT NULL, sealed bytea NOT NULL, provider_account text, display_name text,
     version bigint NOT NULL, updated_at timestamptz NOT NULL, PRIMARY KEY (account, slug))`,
);
const INSERT = {
  name: "put",
  text: `INSERT INTO integrations VALUES ($1, $2, $3, $4, $5, 1, now())
         ON CONFLICT (account, slug) DO UPDATE SET sealed = excluded.sealed, provider_account = excluded.provider_account,
           display_name = excluded.display_name, version = integrations.version + 1, updated_at = excluded.updated_at`,
};

const agent = new https.Agent({ keepAlive: true, maxSockets: 64, ca: readFileSync(setting.ca) });
const [providerHost, providerPort] = setting.provider.split(":");

function provider(apiKey) {
  return new Promise((resolve, reject) => {
    const request = https.request(
      {
        agent, host: providerHost, port: Number(providerPort), servername: "api.stripe.com", path: "/v1/account",
        headers: { host: "api.stripe.com", authorization: `Bearer ${apiKey}` },
      },
      (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve({ status: answer.statusCode, body: Buffer.concat(parts) }));
        answer.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end();
  });
}

function sealed(account, value) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(Buffer.from(`stripe/${account}`));
  return Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
}

async function migrate(request, body) {
  const hash = createHash("sha256").update(request.headers["x-api-key"] ?? "").digest();
  if (!timingSafeEqual(hash, apiKeyHash)) return [401, { error: "Unauthorized" }];
  const account = request.headers.linked_account_id;
  const sent = JSON.parse(body);
  if (!account || !validate(sent)) return [400, { error: "invalid", errors: validate.errors }];
  const { api_key: apiKey } = sent.auth_object.keybased;
  const answer = await provider(apiKey);
  if (answer.status !== 200) return [500, { error: "the provider did not take it" }];
  const found = JSON.parse(answer.body);
  const name = found.settings?.dashboard?.display_name ?? null;
  const values = [account, "stripe", sealed(account, JSON.stringify(sent.auth_object)), found.id, name];
  await pool.query({ ...INSERT, values });
  return [200, { success: true, message: "Token migrated successfully" }];
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    let status, body;
    try {
      [status, body] = await migrate(request, Buffer.concat(parts));
    } catch (error) {
      [status, body] = [500, { error: String(error) }];
    }
    const text = JSON.stringify(body);
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port}`));
