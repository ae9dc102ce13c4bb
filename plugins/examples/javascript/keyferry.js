/**
 * What a Keyferry plugin in JavaScript is written with.
 *
 * A secret is a handle: it can be placed in a request, and never read. What is the provider's fault (no response, a redirect,
 * 429, 5xx, a response that is not JSON) becomes the right failure here, so that a plugin says `rejected` only where the
 * provider itself said so.
 */
import { send } from 'keyferry:plugin/http@1.1.0';
import { now } from 'keyferry:plugin/clock@1.1.0';
import { write } from 'keyferry:plugin/log@1.1.0';

/** Why a credential is not verified. Throw one; the functions below make them. */
export class Failure extends Error {
  /**
   * @param {string} kind a member of the contract's `failure-kind`: `rejected`, `insufficient-scope` ...
   * @param {unknown} value what belongs to that kind: fields, scopes, seconds, a status
   * @param {string} detail one line for people
   */
  constructor(kind, value, detail) {
    super(detail);
    this.payload = { kind: { tag: kind, val: value }, detail };
  }
}

/** The provider says that the credential is not valid. `fields` are those to look at. */
export const rejected = (detail, ...fields) => new Failure('rejected', fields, detail);
/** The credential is live, but lacks these permissions. */
export const insufficientScope = (detail, ...scopes) => new Failure('insufficient-scope', scopes, detail);
/** The credential belongs to another tenant. `fields` are those to look at. */
export const wrongTenant = (detail, ...fields) => new Failure('wrong-tenant', fields, detail);
/** The account behind it is closed, frozen or locked. */
export const accountSuspended = (detail) => new Failure('account-suspended', undefined, detail);
/** Too many requests. */
export const rateLimited = (detail, seconds) => new Failure('rate-limited', seconds, detail);
/** The provider responded with an error of its own. */
export const providerError = (detail, status) => new Failure('provider-error', status, detail);
/** The provider said what this plugin does not understand. */
export const unexpected = (detail) => new Failure('unexpected-answer', undefined, detail);

/** Lines of a defect that are logged: a call may log 64. */
const MOST_LINES = 20;

/** The host's errors, and what they are to a caller. What is not named here is `transport`. */
const UNREACHABLE = { dns: 'dns', refused: 'refused', tls: 'tls', timeout: 'timeout', denied: 'denied' };

/**
 * A field of a credential. `options` may have whatever the contract's `field` has, in camel case.
 *
 * @param {string} name the key in the credential
 * @param {string} label for people
 * @param {object} options `secret`, `required`, `kind`, `help`, `example`, `pattern`, `hint` ...
 */
export const field = (name, label, options = {}) => ({
  name,
  label,
  kind: 'text',
  secret: false,
  required: false,
  options: [],
  supplier: 'caller',
  ...options,
});

/**
 * What the contract calls `app`: the export of a plugin.
 *
 * @param {{ describe: () => object, verify: (credential: Credential) => object }} plugin
 */
export function plugin({ describe, verify }) {
  return {
    describe: () => logged(() => ({ tags: [], readsSecrets: false, ...describe() })),
    verify: (credential) =>
      logged(() => ({ scopes: [], warnings: [], config: [], ...verify(new Credential(credential)) })),
  };
}

/** Runs a call. What a defect in it throws is logged: it ends the call, and its words would be lost. */
function logged(call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof Failure) throw error.payload;
    const lines = `${error}\n${error?.stack ?? ''}`.split('\n').filter((line) => line.trim() !== '');
    for (const line of lines.slice(0, MOST_LINES)) write('error', line);
    throw error;
  }
}

/** A credential to verify. */
export class Credential {
  #fields;

  constructor({ authType, fields }) {
    this.authType = authType;
    this.#fields = new Map(fields.map(({ name, value }) => [name, value.val]));
  }

  /** The handle of a secret field, or `undefined`. */
  secret(name) {
    return this.#fields.get(name)?.handle;
  }

  /** What the field's `hint` matched, or `undefined`. */
  hint(name) {
    return this.#fields.get(name)?.hint;
  }

  /** The text of a plain field, or `undefined`. */
  text(name) {
    return this.#fields.get(name);
  }

  /** A time in seconds or milliseconds since 1970, in milliseconds, if it lies in the future. */
  futureMs(name) {
    const given = Number(this.text(name));
    if (!Number.isFinite(given) || given <= 0) return undefined;
    const ms = BigInt(Math.trunc(given < 1e11 ? given * 1000 : given));
    return ms > now() ? ms : undefined;
  }
}

/**
 * Sends a request and waits for the response. A value is a string, a secret's handle, or an array of both.
 *
 * @param {'get'|'head'|'post'|'put'|'patch'|'delete'} method
 * @param {string} url `https://api.example.com/v1/me`; what comes from a caller belongs in `query`
 * @param {object} options `bearer`, `basic: [user, password]`, `headers`, `query`, `form` (objects), `json` (an object
 *   without secrets)
 * @returns {Response}
 */
export function request(method, url, { bearer, basic, headers = {}, query = {}, form, json } = {}) {
  const [, origin, path] = /^(https:\/\/[^/?#]+)([^?#]*)$/.exec(url) ?? [];
  if (!origin) throw new TypeError(`${url} must be https://host/path, without a query`);
  const pairs = (object) => Object.entries(object).map(([name, value]) => ({ name, value: parts(value) }));
  let auth;
  if (bearer) auth = { tag: 'bearer', val: parts(bearer) };
  if (basic) auth = { tag: 'basic', val: { user: parts(basic[0]), password: parts(basic[1]) } };
  let body = { tag: 'empty' };
  if (form) body = { tag: 'form', val: pairs(form) };
  if (json) body = { tag: 'text', val: { contentType: 'application/json', content: JSON.stringify(json) } };
  const segments = path.split('/').filter((segment, index) => index > 0 || segment !== '');
  let response;
  try {
    response = send({
      method,
      origin,
      path: segments.map(parts),
      query: pairs(query),
      headers: pairs(headers),
      auth,
      body,
      mint: [],
    });
  } catch (error) {
    const { kind, message } = error.payload ?? {};
    if (!kind) throw error;
    if (kind.tag === 'too-large') throw unexpected(message);
    throw new Failure('unreachable', UNREACHABLE[kind.tag] ?? 'transport', message);
  }
  return new Response(origin, response);
}

const parts = (value) =>
  [value].flat().map((one) => (typeof one === 'string' ? { tag: 'text', val: one } : { tag: 'secret', val: one }));

/** What the provider said. The values of secrets have been replaced by `***`. */
export class Response {
  #response;

  constructor(origin, response) {
    this.#response = response;
    this.status = response.status;
    this.told = `${origin} answered ${this.status}`;
    if (this.status === 429) throw rateLimited(this.told, this.#retryAfter());
    if (this.status >= 500) throw providerError(this.told, this.status);
    if (this.status >= 300 && this.status < 400) throw unexpected(`${this.told}, a redirect`);
  }

  /** The first header of a name, in lower case, or `undefined`. */
  header(name) {
    return this.#response.headers.find(([header]) => header === name)?.[1];
  }

  /** The body as JSON. */
  json() {
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(this.#response.body));
    } catch {
      throw unexpected(`${this.told} with what is not JSON`);
    }
  }

  /** The body as a JSON object, or an empty one: for a response whose status already says enough. */
  jsonOrEmpty() {
    try {
      return Object(this.json());
    } catch {
      return {};
    }
  }

  /** The failure for a response that the plugin has no case for. */
  unexpected() {
    return unexpected(`${this.told}, which this plugin does not understand`);
  }

  #retryAfter() {
    const text = (this.header('retry-after') ?? '').trim();
    return /^[0-9]{1,9}(\.[0-9]*)?$/.test(text) ? Math.ceil(Number(text)) : undefined;
  }
}

/** A string or number in a response, as text. Without it, the response is one that the plugin does not understand. */
export function textOf(object, name) {
  const value = Object(object)[name];
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return String(value);
  throw unexpected(`the answer has no ${name}`);
}
