-- JWT (algorithm, signature, issuer, audience, expiry), a limit by subject, the subject as x-user.
local hmac = require "openssl.hmac"
local pkey = require "openssl.pkey"
local digest = require "openssl.digest"
local cjson = require "cjson.safe"

local sub, byte, char, gsub, rep = string.sub, string.byte, string.char, string.gsub, string.rep

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local secret = read "@KEYS@/hs256.secret"
local keys = {
  rs256 = pkey.new(read "@KEYS@/rs256.pub"),
  es256 = pkey.new(read "@KEYS@/es256.pub"),
}

local function unbase64(text)
  text = gsub(gsub(text, "-", "+"), "_", "/")
  local rest = #text % 4
  if rest > 0 then text = text .. rep("=", 4 - rest) end
  return ngx.decode_base64(text)
end

-- A JWT has the two numbers of an ECDSA signature side by side, OpenSSL wants them in DER.
local function der_integer(bytes)
  local first = 1
  while first < #bytes and byte(bytes, first) == 0 do first = first + 1 end
  bytes = sub(bytes, first)
  if byte(bytes, 1) >= 128 then bytes = "\0" .. bytes end
  return "\2" .. char(#bytes) .. bytes
end

local function der(signature)
  local body = der_integer(sub(signature, 1, 32)) .. der_integer(sub(signature, 33, 64))
  return "\48" .. char(#body) .. body
end

local function is_signed(algorithm, signed, signature)
  if algorithm == "hs256" then return hmac.new(secret, "sha256"):final(signed) == signature end
  if algorithm == "es256" then signature = der(signature) end
  local hash = digest.new "sha256"
  hash:update(signed)
  return keys[algorithm]:verify(signature, hash)
end

local function claims_of(algorithm, token)
  local header, payload, signature = token:match "^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$"
  if not header then return end
  local fields = cjson.decode(unbase64(header))
  if not fields or fields.alg ~= algorithm:upper() then return end
  if not is_signed(algorithm, header .. "." .. payload, unbase64(signature)) then return end
  local claims = cjson.decode(unbase64(payload))
  if not claims or claims.iss ~= "https://issuer.example.com" then return end
  if claims.aud ~= "api-gateway" or claims.exp < ngx.time() then return end
  return claims
end

local chain = {}

function chain.access(algorithm)
  local field = ngx.var.http_authorization
  if not field or sub(field, 1, 7) ~= "Bearer " then return ngx.exit(401) end
  local claims = claims_of(algorithm, sub(field, 8))
  if not claims then return ngx.exit(401) end
  local count = ngx.shared.limits:incr(claims.sub .. ngx.time(), 1, 0, 5)
  if count > 1e9 then return ngx.exit(429) end
  ngx.req.set_header("x-user", claims.sub)
end

return chain
