// Stores and reads a credential with a client that was generated from the server's own description. Prints the results to the
// standard output as one JSON object. Code that must not compile follows `@ts-expect-error`.
import { env } from "node:process";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];

const given = (name: string): string => {
    const value = env[name];
    if (value === undefined) {
        throw new Error(`${name} is not set`);
    }
    return value;
};
const headers = { "x-api-key": given("KEYFERRY_API_KEY") };
const client = createClient<paths>({ baseUrl: given("KEYFERRY_URL"), headers });
const account = "typescript/1";
const accounts = "/api/v2/public/linked-account";

const made = await client.POST(accounts, { body: { account_id: account, name: "Ada", udf: { plan: "gold" } } });
const migrated = await client.PUT("/api/v2/public/migrate-token", {
    params: { header: { linked_account_id: account, "If-None-Match": "*" } },
    body: { slug: "hubspot", auth_object: { oauth2: { access_token: given("KEYFERRY_TOKEN"), refresh_token: "r" } } },
});
const shown = await client.GET("/api/v2/public/linked-account/{account}", { params: { path: { account } } });
const listed = await client.GET(accounts, { params: { query: { search: "typescript" } } });

/** A failure as a problem: told apart from the other rendering by its members, and typed. */
const problem = (error: unknown): Problem | null =>
    error !== null && typeof error === "object" && "code" in error ? (error as Problem) : null;
const refused = await client.PUT("/api/v2/public/migrate-token", {
    params: { header: { linked_account_id: account } },
    headers: { accept: "application/problem+json" },
    body: { slug: "hubspot", auth_object: { keybased: { access_token: "pat-na1-nobody-knows-it" } } },
});
// Every failure in the description has one of two types.
const failure: components["schemas"]["Error"] | Problem | undefined = refused.error;
const documented = await client.GET("/api/v2/public/linked-account/{account}", { params: { path: { account: "nobody" } } });
const message: string | undefined = documented.error && "message" in documented.error ? documented.error.message : undefined;

const deleted = await client.DELETE("/api/v2/public/linked-account/{account}", { params: { path: { account } } });

console.log(
    JSON.stringify({
        made: made.data?.account_id,
        migrated: migrated.data && "success" in migrated.data && migrated.data.success,
        integration: shown.data?.integrations[0]?.type,
        plan: shown.data?.udf.find((field) => field.key_name === "plan")?.key_value,
        listed: listed.data?.docs.map((one) => one.account_id),
        refused: [refused.response.status, problem(failure)?.code],
        documented: [documented.response.status, message],
        deleted: deleted.data?.message,
    }),
);

export async function never(): Promise<void> {
    const params = { header: { linked_account_id: account } };
    // @ts-expect-error There is no such app.
    await client.PUT("/api/v2/public/migrate-token", { params, body: { slug: "hubspto", auth_object: { oauth2: { access_token: "" } } } });
    // @ts-expect-error A credential of HubSpot's has no such field.
    await client.PUT("/api/v2/public/migrate-token", { params, body: { slug: "hubspot", auth_object: { oauth2: { acess_token: "" } } } });
    // @ts-expect-error The account is missing.
    await client.PUT("/api/v2/public/migrate-token", { body: { slug: "hubspot", auth_object: { oauth2: { access_token: "" } } } });
    // @ts-expect-error There is no such path.
    await client.GET("/api/v2/public/linked-accounts");
}
