// Lets a request through if it carries the agreed word.
#include <stdlib.h>

#include "tollgate.h"

static char *header, *word;

void exports_tollgate_plugin_filter_describe(exports_tollgate_plugin_filter_manifest_t *manifest) {
  plugin_string_dup(&manifest->name, "{{name}}");
  plugin_string_dup(&manifest->version, "0.1.0");
  plugin_string_dup(&manifest->summary, "Lets a request through if it carries the agreed word");
  plugin_string_dup(&manifest->config_schema,
                    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"header\",\"word\"],\"properties\":{"
                    "\"header\":{\"type\":\"string\",\"description\":\"The header with the word.\"},"
                    "\"word\":{\"type\":\"string\",\"description\":\"The agreed word.\"}}}");
  manifest->needs.len = 0;
}

// Once for each instance. Only the hooks that are named here are called.
bool exports_tollgate_plugin_filter_configure(plugin_string_t *config, phases_t *phases, plugin_string_t *error) {
  header = config_text(config, "header");
  word = config_text(config, "word");
  plugin_string_free(config);
  if (header == NULL || word == NULL) {
    return failed(error, "header and word must be there");
  }
  *phases = EXPORTS_TOLLGATE_PLUGIN_FILTER_PHASES_REQUEST | EXPORTS_TOLLGATE_PLUGIN_FILTER_PHASES_RESPONSE;
  return true;
}

bool exports_tollgate_plugin_filter_on_request(request_t request, verdict_t *verdict, plugin_string_t *error) {
  if (!header_is(request, header, word)) {
    return problem(request, verdict, 401, "unauthorized", "The word is missing or wrong");
  }
  remove_request_header(request, header);
  return next(verdict);
}

bool exports_tollgate_plugin_filter_on_response(request_t request, response_t response, plugin_string_t *error) {
  if (!set_response_header(response, "x-checked-by", "{{name}}")) {
    return failed(error, "the header is refused");
  }
  return true;
}
