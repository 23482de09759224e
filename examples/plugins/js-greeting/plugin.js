// Greets in the request's JSON body: adds a member with a text that names who asks.
import { plugin, problem } from './tollgate.js';

const DECODER = new TextDecoder('utf-8', { fatal: true });
const ENCODER = new TextEncoder();

let settings;

export const filter = plugin({
  name: 'js-greeting',
  version: '0.1.0',
  summary: 'Adds a greeting to the JSON body of a request',
  needs: ['request-body'],
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['member', 'greeting'],
    properties: {
      member: { type: 'string', description: 'The member that is added to the body.' },
      greeting: { type: 'string', description: 'Its text; `{subject}` stands for the attribute `auth.subject`.' },
    },
  },

  configure(config) {
    if (config.member === '') {
      throw new Error('member: must not be empty');
    }
    settings = config;
  },

  onRequest(request) {
    if (!request.header('content-type')?.startsWith('application/json')) {
      return;
    }
    const body = parsed(request.body());
    if (body === undefined) {
      return problem(request, 400, 'bad-request', 'The body is not a JSON object');
    }
    const subject = request.attribute('auth.subject') ?? 'stranger';
    body[settings.member] = settings.greeting.replaceAll('{subject}', () => subject);
    request.setBody(ENCODER.encode(JSON.stringify(body)));
  },

  onResponse(request, response) {
    response.appendHeader('x-acted', 'js');
  },
});

/** The object in `bytes`, or nothing. */
function parsed(bytes) {
  try {
    const value = JSON.parse(DECODER.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
