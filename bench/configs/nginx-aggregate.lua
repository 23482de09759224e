-- Three calls at once, decoded, merged into one object by name without what is internal, encoded.
local cjson = require "cjson.safe"
local aggregate = {}

local function public(body)
  local value = cjson.decode(body)
  value.internal_note = nil
  value.pad = nil
  return value
end

function aggregate.merge()
  local order, profile, last =
    ngx.location.capture_multi { { "/upstream/k" }, { "/upstream/s" }, { "/upstream/k" } }
  local body = cjson.encode {
    order = public(order.body),
    profile = cjson.decode(profile.body),
    last = public(last.body),
  }
  ngx.header.content_type = "application/json"
  ngx.header.content_length = #body
  ngx.print(body)
end

return aggregate
