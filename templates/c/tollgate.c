#include "tollgate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEMS "https://tollgate.dev/problems/"

// The object that carries the world's type is not linked: the Makefile names the WIT itself.
void __component_type_object_force_link_plugin(void) {}

plugin_string_t text(const char *c_string) {
  return (plugin_string_t){(uint8_t *)c_string, strlen(c_string)};
}

bool failed(plugin_string_t *error, const char *reason) {
  plugin_string_dup(error, reason);
  return false;
}

// --- The configuration: one JSON object, which the gateway has checked. ---

// Behind the string that begins at `at` with its quote.
static const char *behind_string(const char *at, const char *end) {
  for (at++; at < end && *at != '"'; at++) {
    if (*at == '\\') {
      at++;
    }
  }
  return at < end ? at + 1 : end;
}

// Behind the value at `at`: at the comma or brace that follows it.
static const char *behind_value(const char *at, const char *end) {
  for (int depth = 0; at < end;) {
    if (*at == '"') {
      at = behind_string(at, end);
      continue;
    }
    if (depth == 0 && (*at == ',' || *at == '}')) {
      return at;
    }
    depth += *at == '{' || *at == '[';
    depth -= *at == '}' || *at == ']';
    at++;
  }
  return end;
}

static const char *behind_space(const char *at, const char *end) {
  while (at < end && strchr(" \t\r\n:,{", *at) != NULL) {
    at++;
  }
  return at;
}

// Writes a code point of the basic plane as UTF-8; halves of a pair become U+FFFD.
static char *put(char *out, unsigned point) {
  if (point >= 0xd800 && point < 0xe000) {
    point = 0xfffd;
  }
  if (point < 0x80) {
    *out++ = (char)point;
  } else if (point < 0x800) {
    *out++ = (char)(0xc0 | point >> 6);
    *out++ = (char)(0x80 | (point & 0x3f));
  } else {
    *out++ = (char)(0xe0 | point >> 12);
    *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    *out++ = (char)(0x80 | (point & 0x3f));
  }
  return out;
}

// A copy of the string from `at` (its quote) to `end` (behind its other one), without escapes.
static char *unescaped(const char *at, const char *end) {
  char *copy = malloc((size_t)(end - at)), *out = copy;
  if (copy == NULL) {
    return NULL;
  }
  for (at++; at < end - 1; at++) {
    if (*at != '\\') {
      *out++ = *at;
      continue;
    }
    const char *escapes = "b\bf\fn\nr\rt\t", *known = strchr(escapes, *++at);
    if (*at == 'u' && end - at > 4) {
      char digits[5] = {at[1], at[2], at[3], at[4], 0};
      out = put(out, (unsigned)strtoul(digits, NULL, 16));
      at += 4;
    } else {
      *out++ = known ? known[1] : *at;
    }
  }
  *out = 0;
  return copy;
}

char *config_text(const plugin_string_t *config, const char *member) {
  const char *at = (const char *)config->ptr, *end = at + config->len;
  size_t length = strlen(member);
  while ((at = behind_space(at, end)) < end && *at == '"') {
    const char *name = at + 1;
    at = behind_space(behind_string(at, end), end);
    bool wanted = (size_t)(end - name) > length && memcmp(name, member, length) == 0 && name[length] == '"';
    if (wanted) {
      return at < end && *at == '"' ? unescaped(at, behind_string(at, end)) : NULL;
    }
    at = behind_value(at, end);
  }
  return NULL;
}

// --- Requests and responses. ---

bool header_is(request_t request, const char *name, const char *value) {
  plugin_string_t key = text(name), found;
  if (!tollgate_plugin_types_method_request_header(request, &key, &found)) {
    return false;
  }
  bool same = found.len == strlen(value) && memcmp(found.ptr, value, found.len) == 0;
  plugin_string_free(&found);
  return same;
}

void remove_request_header(request_t request, const char *name) {
  plugin_string_t key = text(name);
  tollgate_plugin_types_refused_t refused;
  if (!tollgate_plugin_types_method_request_remove_header(request, &key, &refused)) {
    tollgate_plugin_types_refused_free(&refused);
  }
}

bool set_response_header(response_t response, const char *name, const char *value) {
  plugin_string_t key = text(name), line = text(value);
  tollgate_plugin_types_refused_t refused;
  if (tollgate_plugin_types_method_response_set_header(response, &key, &line, &refused)) {
    return true;
  }
  tollgate_plugin_types_refused_free(&refused);
  return false;
}

bool append_response_header(response_t response, const char *name, const char *value) {
  plugin_string_t key = text(name), line = text(value);
  tollgate_plugin_types_refused_t refused;
  if (tollgate_plugin_types_method_response_append_header(response, &key, &line, &refused)) {
    return true;
  }
  tollgate_plugin_types_refused_free(&refused);
  return false;
}

bool next(verdict_t *verdict) {
  verdict->tag = EXPORTS_TOLLGATE_PLUGIN_FILTER_VERDICT_NEXT;
  return true;
}

bool problem(request_t request, verdict_t *verdict, uint16_t status, const char *slug, const char *title) {
  tollgate_plugin_types_own_response_t answer = tollgate_plugin_types_constructor_response(status);
  response_t response = tollgate_plugin_types_borrow_response(answer);
  set_response_header(response, "content-type", "application/problem+json");

  plugin_string_t id;
  tollgate_plugin_types_method_request_id(request, &id);
  char body[512];
  int length = snprintf(body, sizeof body, "{\"type\":\"" PROBLEMS "%s\",\"title\":\"%s\",\"status\":%u,\"request_id\":\"%.*s\"}",
                        slug, title, status, (int)id.len, (const char *)id.ptr);
  plugin_string_free(&id);
  if (length > 0 && (size_t)length < sizeof body) {
    plugin_list_u8_t bytes = {(uint8_t *)body, (size_t)length};
    tollgate_plugin_types_refused_t refused;
    tollgate_plugin_types_method_response_set_body(response, &bytes, &refused);
  }
  verdict->tag = EXPORTS_TOLLGATE_PLUGIN_FILTER_VERDICT_RESPOND;
  verdict->val.respond = answer;
  return true;
}

// --- What a plugin leaves out: the world wants every hook, the gateway calls only those of `configure`. ---

__attribute__((weak)) bool exports_tollgate_plugin_filter_on_request(request_t request, verdict_t *verdict,
                                                                     plugin_string_t *error) {
  (void)request, (void)error;
  return next(verdict);
}

__attribute__((weak)) bool exports_tollgate_plugin_filter_on_request_chunk(request_t request, plugin_list_u8_t *chunk,
                                                                           bool last, plugin_list_u8_t *out,
                                                                           plugin_string_t *error) {
  (void)request, (void)last, (void)error;
  *out = *chunk;
  return true;
}

__attribute__((weak)) bool exports_tollgate_plugin_filter_on_response(request_t request, response_t response,
                                                                      plugin_string_t *error) {
  (void)request, (void)response, (void)error;
  return true;
}

__attribute__((weak)) bool exports_tollgate_plugin_filter_on_response_chunk(request_t request, plugin_list_u8_t *chunk,
                                                                            bool last, plugin_list_u8_t *out,
                                                                            plugin_string_t *error) {
  (void)request, (void)last, (void)error;
  *out = *chunk;
  return true;
}

__attribute__((weak)) void exports_tollgate_plugin_filter_on_finish(request_t request,
                                                                    exports_tollgate_plugin_filter_outcome_t *outcome) {
  (void)request;
  exports_tollgate_plugin_filter_outcome_free(outcome);
}
