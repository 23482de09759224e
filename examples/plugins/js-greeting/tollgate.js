// What each plugin in JavaScript shares: hooks that are left out, phases from those that are there,
// exceptions as errors with their place, and problem responses.
import { Response } from 'tollgate:plugin/types@0.1.0';
import { log } from 'tollgate:plugin/telemetry@0.1.0';

// Resources and what the bindings throw are of a realm of their own: `instanceof` does not know them. And
// a text where bytes belong would be none for them, so that each signature fits and each hash is the same.
const bindings = Response.constructor('return globalThis')();
Object.defineProperty(bindings.String.prototype, 'byteLength', {
  get() {
    throw new TypeError('bytes have to be a Uint8Array, not a text: new TextEncoder().encode(text)');
  },
});

// What a hook gets of the host or makes there stays until it is given back, which the engine that runs this
// does too late, if ever: so it is given back when the hook ends.
const held = new Set();
let inHook = false;
const { register } = bindings.FinalizationRegistry.prototype;
bindings.FinalizationRegistry.prototype.register = function (resource, ...rest) {
  if (inHook) {
    held.add(resource);
  }
  return register.call(this, resource, ...rest);
};

/** Keeps what a hook has made for the hooks to come, a `Key` say; without this it ends with the hook. */
export function keep(resource) {
  held.delete(resource);
  return resource;
}

function giveBack() {
  inHook = false;
  for (const resource of held) {
    const handle = Object.getOwnPropertySymbols(resource).find((symbol) => symbol.description === 'handle');
    // Whoever has given it back by hand has left none.
    if (resource[handle] !== undefined) {
      resource[Symbol.dispose ?? Symbol.for('dispose')]();
    }
  }
  held.clear();
}

// The engine's own would end the instance, without a word.
globalThis.fetch = () => {
  throw new Error("there is no fetch: upstreams are called by `send` of 'tollgate:plugin/http-client@0.1.0'");
};

const PROBLEMS = 'https://tollgate.dev/problems/';
const HOOKS = ['onRequest', 'onRequestChunk', 'onResponse', 'onResponseChunk', 'onFinish'];
const NEEDS = ['upstreams', 'store', 'request-body', 'response-body', 'cache'];

/**
 * Makes the export `filter` of a plugin: `export const filter = plugin({ .. })`.
 *
 * @param {object} parts
 * @param {string} parts.name
 * @param {string} parts.version
 * @param {string} parts.summary
 * @param {object} parts.schema JSON Schema of the configuration
 * @param {string[]} [parts.needs] `upstreams`, `store`, `request-body`, `response-body`, `cache`
 * @param {(config: object) => void} [parts.configure] once for each instance; what it throws refuses the configuration
 *
 * The other members are hooks: `onRequest`, `onRequestChunk`, `onResponse`, `onResponseChunk`, `onFinish`.
 * The gateway calls those that are there.
 */
export function plugin({ name, version, summary, schema, needs = [], configure = () => {}, ...hooks }) {
  check('hook', Object.keys(hooks), HOOKS);
  check('need', needs, NEEDS);
  for (const [part, value] of Object.entries({ name, version, summary })) {
    if (typeof value !== 'string') {
      throw new Error(`plugin({ ${part} }) has to be a text, not ${kind(value)}`);
    }
  }
  if (schema === null || typeof schema !== 'object') {
    throw new Error(`plugin({ schema }) has to be a JSON Schema, not ${kind(schema)}`);
  }
  const phases = {
    request: 'onRequest' in hooks,
    requestChunks: 'onRequestChunk' in hooks,
    response: 'onResponse' in hooks,
    responseChunks: 'onResponseChunk' in hooks,
    finish: 'onFinish' in hooks,
  };
  return {
    describe: () => ({ name, version, summary, configSchema: JSON.stringify(schema), needs: needs.map((tag) => ({ tag })) }),
    configure: guarded((config) => (done('configure', configure(JSON.parse(config))), phases), saidOfConfiguration),
    onRequest: hook((request) => verdict(hooks.onRequest(request) ?? next())),
    onRequestChunk: hook((request, chunk, last) => bytes('onRequestChunk', hooks.onRequestChunk(request, chunk, last))),
    onResponse: hook((request, response) => done('onResponse', hooks.onResponse(request, response))),
    onResponseChunk: hook((request, chunk, last) => bytes('onResponseChunk', hooks.onResponseChunk(request, chunk, last))),
    onFinish: hook((request, outcome) => finish(() => done('onFinish', hooks.onFinish(request, outcome)))),
  };
}

/** The request goes on: what a request hook that returns nothing means too. */
export function next() {
  return { tag: 'next' };
}

/** Answers with this response: later plugins and the upstream never see the request. */
export function respond(response) {
  return { tag: 'respond', val: response };
}

/** Answers with a problem (RFC 9457) of the type `slug`. */
export function problem(request, status, slug, title, headers = {}) {
  if (typeof slug !== 'string' || typeof title !== 'string') {
    throw new Error(`problem(request, status, slug, title) takes two texts, not ${kind(slug)} and ${kind(title)}`);
  }
  const response = new Response(status);
  response.setHeader('content-type', 'application/problem+json');
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, value);
  }
  const body = { type: PROBLEMS + slug, title, status, request_id: request.id() };
  response.setBody(new TextEncoder().encode(JSON.stringify(body)));
  return respond(response);
}

/** A misspelt hook would never be called, and nobody would know. */
function check(what, given, known) {
  const unknown = given.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`there is no ${what} ${unknown.join(', ')}; there are ${known.join(', ')}`);
  }
}

/** What is of another kind would end the instance, with words of the bindings. */
function verdict(returned) {
  if (returned.tag === 'respond' && !(returned.val instanceof Response)) {
    throw `respond(..) takes a Response, not ${kind(returned.val)}`;
  }
  if (returned.tag !== 'next' && returned.tag !== 'respond') {
    throw `onRequest has to return nothing, next(), respond(response) or problem(..), not ${kind(returned)}`;
  }
  return returned;
}

function bytes(hook, returned) {
  if (!isA('Uint8Array', returned)) {
    throw `${hook} has to return a Uint8Array, not ${kind(returned)}`;
  }
  return returned;
}

/** What is thrown in a Promise would be thrown away, and an answer comes too late. */
function done(hook, returned) {
  if (returned instanceof Response || returned?.tag === 'respond') {
    throw `${hook} has nothing to answer with: it changes the response that it is given`;
  }
  if (isA('Promise', returned)) {
    throw `${hook} has to return when it is done, not ${kind(returned)}`;
  }
}

/** Of any realm. */
function isA(name, value) {
  return Object.prototype.toString.call(value) === `[object ${name}]`;
}

function kind(value) {
  if (isA('Promise', value)) {
    return 'a Promise: hooks are not async, and what waits looks like a plain call';
  }
  if (typeof value === 'function') {
    return `a function (${value.name || 'without a name'}), which nobody has called`;
  }
  if (value === null || typeof value !== 'object') {
    return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
  }
  // The bindings call resources `import_types_0_1_0$Response`.
  const name = (value.constructor ?? Object).name.replace(/^.*\$/, '');
  return name === 'Object' ? `an object with ${Object.keys(value).join(', ') || 'nothing'}` : `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** What the hook has held of the host ends with it, but for what it returns. */
function hook(run) {
  const whole = guarded(run);
  return (...parameters) => {
    inHook = true;
    try {
      const returned = whole(...parameters);
      keep(returned?.val);
      return returned;
    } finally {
      giveBack();
    }
  };
}

/** An exception would end the instance, without its text: only a string is the world's `err`. */
function guarded(hook, words = said) {
  return (...parameters) => {
    try {
      return hook(...parameters);
    } catch (thrown) {
      throw words(thrown);
    }
  };
}

/** `throw new Error('limit: is too large')` is told at the configuration's `limit`. */
function saidOfConfiguration(thrown) {
  return thrown?.name === 'Error' ? thrown.message + placeOf(thrown) : said(thrown);
}

/** `on-finish` has no way to fail. */
function finish(hook) {
  try {
    hook();
  } catch (thrown) {
    log('error', said(thrown), []);
  }
}

function said(thrown) {
  // What a function of the gateway refuses.
  if (thrown?.payload !== undefined) {
    return refused(thrown.payload) + placeOf(thrown);
  }
  if (!isA('Error', thrown)) {
    return typeof thrown === 'string' ? thrown : `it threw ${kind(thrown)}`;
  }
  return `${thrown.name}: ${thrown.message}${placeOf(thrown)}`;
}

/** `refused: not-granted`, and what there is beside the word. */
function refused(payload) {
  const { tag = payload, val } = Object(payload);
  if (tag === 'not-granted') {
    return 'refused: not-granted; the `grants` of the use say what it may reach';
  }
  return `refused: ${tag}${val === undefined ? '' : ` (${typeof val === 'string' ? val : JSON.stringify(val)})`}`;
}

/** Where in the plugin it was thrown, by the innermost frame that is not of the bindings. */
function placeOf(thrown) {
  const frames = thrown.stack?.split('\n').map((line) => line.trim()).filter((line) => line !== '') ?? [];
  const own = frames.find((line) => /^\w*@?(.*\/)?plugin\.js:/.test(line)) ?? frames[0];
  return own ? ` (${own})` : '';
}
