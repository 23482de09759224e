-- Three calls at once, decoded, merged into one object by name, encoded.
local cjson = require "cjson.safe"
local aggregate = {}

function aggregate.merge()
  local order, profile, last =
    ngx.location.capture_multi { { "/upstream/k" }, { "/upstream/s" }, { "/upstream/k" } }
  local body = cjson.encode {
    order = cjson.decode(order.body),
    profile = cjson.decode(profile.body),
    last = cjson.decode(last.body),
  }
  ngx.header.content_type = "application/json"
  ngx.header.content_length = #body
  ngx.print(body)
end

return aggregate
