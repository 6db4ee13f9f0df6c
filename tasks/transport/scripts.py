"""What the transport does in Redis in one step each, as Lua scripts; a full Redis takes all of them."""

from tasks.broker.full import WRITE_FIRST

# Pops messages and records in the same step that this worker holds them, so that a kill in between loses none.
# KEYS: unacked, unacked_index, queue, queue, ...; ARGV: the maximum number of messages.
# An entry that is no message stays in its queue, where `_brpop_read` drops it. Leases go by the clock of Redis, because
# those of the machines differ.
POP = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function fields(raw)
  local properties = cjson.decode(raw)['properties']
  local info = properties['delivery_info']
  return properties['delivery_tag'], cjson.encode(info['exchange']), cjson.encode(info['routing_key'])
end
local popped = {}
for i = 3, #KEYS do
  while #popped < 3 * tonumber(ARGV[1]) do
    local raw = redis.call('RPOP', KEYS[i])
    if not raw then break end
    local valid, tag, exchange, routing_key = pcall(fields, raw)
    if not valid or type(tag) ~= 'string' then
      redis.call('RPUSH', KEYS[i], raw)
      return popped
    end
    redis.call('ZADD', KEYS[2], now, tag)
    redis.call('HSET', KEYS[1], tag, '[' .. raw .. ', ' .. exchange .. ', ' .. routing_key .. ']')
    popped[#popped + 1] = KEYS[i]
    popped[#popped + 1] = tag
    popped[#popped + 1] = raw
  end
end
return popped
"""
# KEYS: unacked, unacked_index; ARGV: tag, message.
RECORD = (
    WRITE_FIRST
    + """
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], time[1] + time[2] / 1000000, ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""
)
# KEYS: unacked_index; ARGV: tag, tag, ... A message that was acknowledged meanwhile must not come back: XX.
RENEW = (
    WRITE_FIRST
    + """
local time = redis.call('TIME')
for _, tag in ipairs(ARGV) do redis.call('ZADD', KEYS[1], 'XX', time[1] + time[2] / 1000000, tag) end
"""
)
# KEYS: unacked_index; ARGV: visibility timeout, how many. The tags whose lease has run out.
EXPIRED = """
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', time[1] - ARGV[1], 'LIMIT', 0, ARGV[2])
"""
# KEYS: unacked, unacked_index; ARGV: tag, tag, ... Not by a transaction: a full Redis refuses every command in one.
FORGET = """
for _, tag in ipairs(ARGV) do
  redis.call('ZREM', KEYS[2], tag)
  redis.call('HDEL', KEYS[1], tag)
end
"""
# KEYS: unacked, unacked_index, queue, ...; ARGV: tag, LPUSH or RPUSH, message. The first who restores it does it.
RESTORE = """
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then
  for i = 3, #KEYS do redis.call(ARGV[2], KEYS[i], ARGV[3]) end
end
"""
