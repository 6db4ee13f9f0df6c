"""What the ledger does in Redis in one step each, as Lua scripts; a full Redis takes all of them but OPEN.

KEYS are PARTS, and what the names of the codes begin with; ARGV begins with the seconds for which a job is kept: so
long from whatever was written last, however long the job takes.
"""

from tasks.broker.full import WRITE_FIRST
from tasks.outcomes import CHUNK

PARTS = ("meta", "uris", "reasons", "stored", "failed", "skipped", "reused", "attempts", "still_broken")

_KEEP = "for i = 1, 9 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end\n"
# What is not known in Redis any more must not begin anew with a part of its facts, and without an end.
_UNLESS_FORGOTTEN = "if redis.call('EXISTS', KEYS[1]) == 0 then return end\n"

# KEYS: and the list of jobs, the producer's lease; ARGV: seconds, job, owner, now, seconds of the lease, fact, value,
# ... Returns 0 where it is another's job.
OPEN = (
    """
if redis.call('HSETNX', KEYS[1], 'owner', ARGV[3]) == 0 and redis.call('HGET', KEYS[1], 'owner') ~= ARGV[3] then
  return 0
end
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[11], ARGV[4], ARGV[2])
if tonumber(ARGV[5]) > 0 then redis.call('SET', KEYS[12], 1, 'EX', ARGV[5]) end
"""
    + _KEEP
    + "return 1"
)
# ARGV: seconds, fact, value, ...
NOTE = (
    WRITE_FIRST
    + _UNLESS_FORGOTTEN
    + "for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end\n"
    + f"""
local bytes = math.max(redis.call('STRLEN', KEYS[5]), redis.call('STRLEN', KEYS[9]))
for chunk = 0, math.ceil(bytes * 8 / {CHUNK}) - 1 do redis.call('EXPIRE', KEYS[10] .. chunk, ARGV[1]) end
"""
    + _KEEP
)
# ARGV: seconds, fact, how much more, ...
COUNT = (
    WRITE_FIRST
    + _UNLESS_FORGOTTEN
    + "for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end\n"
    + _KEEP
)
# The bits of stored, failed, skipped, reused and still_broken, all of one moment.
COUNTS = """
local counts = {}
for i = 4, 7 do counts[i - 3] = redis.call('BITCOUNT', KEYS[i]) end
counts[5] = redis.call('BITCOUNT', KEYS[9])
return counts
"""
# One command for thousands of bits: building a command for each took longer than all else about a stored file.
# ARGV: seconds, number, 1 where it was reused, number, ...
STORE = (
    WRITE_FIRST
    + """
for i = 2, #ARGV, 2 do
  redis.call('SETBIT', KEYS[4], ARGV[i], 1)
  redis.call('SETBIT', KEYS[5], ARGV[i], 0)
  redis.call('HDEL', KEYS[2], ARGV[i])
  if ARGV[i + 1] == '1' then redis.call('SETBIT', KEYS[7], ARGV[i], 1) end
end
"""
    + _KEEP
)
# ARGV: seconds, number, ...
SKIP = WRITE_FIRST + "for i = 2, #ARGV do redis.call('SETBIT', KEYS[6], ARGV[i], 1) end\n" + _KEEP
# ARGV: seconds, most URIs, most reasons, files in a chunk, number, reason, URI, number, reason, URI, ...
# A reason's id is its place in the order in which the job met them; the id behind the last one stands for all others.
_FAIL = (
    WRITE_FIRST
    + """
for i = 5, #ARGV, 3 do
  local number = tonumber(ARGV[i])
  if redis.call('GETBIT', KEYS[4], number) == 0 then
    local id = redis.call('HGET', KEYS[3], ARGV[i + 1])
    if not id then
      id = math.min(redis.call('HLEN', KEYS[3]), tonumber(ARGV[3]))
      if id < tonumber(ARGV[3]) then redis.call('HSET', KEYS[3], ARGV[i + 1], id) end
    end
    local size = tonumber(ARGV[4])
    local chunk = KEYS[10] .. math.floor(number / size)
    redis.call('SETRANGE', chunk, 2 * (number % size), struct.pack('>H', id))
    redis.call('EXPIRE', chunk, ARGV[1])
    for _, bits in ipairs(<bits>) do redis.call('SETBIT', KEYS[bits], number, 1) end
    if redis.call('HLEN', KEYS[2]) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[2], number, ARGV[i + 2]) end
  end
end
"""
    + _KEEP
)
FAIL = _FAIL.replace("<bits>", "{5}")
# The same for files that failed in an earlier job: they are skipped, and still broken.
STILL_BROKEN = _FAIL.replace("<bits>", "{6, 9}")
# ARGV: seconds, number, how much more. Returns the count; a count that would begin below zero is none.
ATTEMPT = (
    WRITE_FIRST
    + """
if tonumber(ARGV[3]) < 0 and redis.call('HEXISTS', KEYS[8], ARGV[2]) == 0 then return 0 end
local count = redis.call('HINCRBY', KEYS[8], ARGV[2], ARGV[3])
"""
    + _KEEP
    + "return count"
)
