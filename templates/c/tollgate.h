// What each plugin in C shares: strings, the configuration, problem responses.
#ifndef TOLLGATE_H
#define TOLLGATE_H

#include "bindings/plugin.h"

typedef tollgate_plugin_types_borrow_request_t request_t;
typedef tollgate_plugin_types_borrow_response_t response_t;
typedef exports_tollgate_plugin_filter_verdict_t verdict_t;
typedef exports_tollgate_plugin_filter_phases_t phases_t;

// A string of the world around this C string: lent, not copied.
plugin_string_t text(const char *c_string);

// Writes why a hook fails; what is returned is what the hook returns.
bool failed(plugin_string_t *error, const char *reason);

// A string member of the configuration's object, unescaped; NULL: it is not there, or not a string.
// The caller frees it.
char *config_text(const plugin_string_t *config, const char *member);

// Whether the request has a line of this field with exactly this value.
bool header_is(request_t request, const char *name, const char *value);
void remove_request_header(request_t request, const char *name);

// Sets a response's field, or adds a line of it; false: the gateway refuses the name or the value.
bool set_response_header(response_t response, const char *name, const char *value);
bool append_response_header(response_t response, const char *name, const char *value);

// The request goes on.
bool next(verdict_t *verdict);

// Answers with a problem (RFC 9457) of the type `slug`. `title` and `slug` are plain text that needs no escapes.
bool problem(request_t request, verdict_t *verdict, uint16_t status, const char *slug, const char *title);

#endif
