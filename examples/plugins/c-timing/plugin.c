// Adds a response header that says how long the exchange took from this plugin's request hook to its response hook.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tollgate.h"

#define STARTED "c-timing.started"

static char *header;

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void exports_tollgate_plugin_filter_describe(exports_tollgate_plugin_filter_manifest_t *manifest) {
  plugin_string_dup(&manifest->name, "c-timing");
  plugin_string_dup(&manifest->version, "0.1.0");
  plugin_string_dup(&manifest->summary, "Adds a response header with the exchange's time");
  plugin_string_dup(&manifest->config_schema,
                    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"header\"],\"properties\":{"
                    "\"header\":{\"type\":\"string\",\"description\":\"The header that is added.\"}}}");
  manifest->needs.len = 0;
}

bool exports_tollgate_plugin_filter_configure(plugin_string_t *config, phases_t *phases, plugin_string_t *error) {
  header = config_text(config, "header");
  plugin_string_free(config);
  if (header == NULL) {
    return failed(error, "header: must be there");
  }
  *phases = EXPORTS_TOLLGATE_PLUGIN_FILTER_PHASES_REQUEST | EXPORTS_TOLLGATE_PLUGIN_FILTER_PHASES_RESPONSE;
  return true;
}

// An instance serves many exchanges, so what belongs to one goes into an attribute of it.
bool exports_tollgate_plugin_filter_on_request(request_t request, verdict_t *verdict, plugin_string_t *error) {
  char started[24];
  snprintf(started, sizeof started, "%" PRId64, now_us());
  plugin_string_t name = text(STARTED), value = text(started);
  tollgate_plugin_types_method_request_set_attribute(request, &name, &value);
  return next(verdict);
}

bool exports_tollgate_plugin_filter_on_response(request_t request, response_t response, plugin_string_t *error) {
  plugin_string_t name = text(STARTED), started;
  if (!tollgate_plugin_types_method_request_attribute(request, &name, &started)) {
    return true;
  }
  char digits[24];
  snprintf(digits, sizeof digits, "%.*s", (int)started.len, (const char *)started.ptr);
  plugin_string_free(&started);

  char value[32];
  snprintf(value, sizeof value, "%" PRId64 "us", now_us() - strtoll(digits, NULL, 10));
  if (!set_response_header(response, header, value) || !append_response_header(response, "x-acted", "c")) {
    return failed(error, "the header is refused");
  }
  return true;
}
