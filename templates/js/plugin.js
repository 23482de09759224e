// Lets a request through if it carries the agreed word.
import { plugin, problem } from './tollgate.js';

let settings;

export const filter = plugin({
  name: '{{name}}',
  version: '0.1.0',
  summary: 'Lets a request through if it carries the agreed word',
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['header', 'word'],
    properties: {
      header: { type: 'string', description: 'The header with the word.' },
      word: { type: 'string', description: 'The agreed word.' },
    },
  },

  configure(config) {
    settings = config;
  },

  onRequest(request) {
    if (request.header(settings.header) !== settings.word) {
      return problem(request, 401, 'unauthorized', 'The word is missing or wrong');
    }
    request.removeHeader(settings.header);
  },

  onResponse(request, response) {
    response.setHeader('x-checked-by', '{{name}}');
  },
});
