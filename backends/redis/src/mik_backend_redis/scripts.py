"""What runs inside of Redis: compare and set, listing, and changes that are marked as ours.

A change is marked where someone listens: `PUBLISH` before and after it in one script, so that whoever listens hears the
mark, the notification of the change, and the end of the mark without anything of anybody else between them. Nothing has
to be remembered about a change for that, not even when its answer is lost.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Final

__all__ = ["CHANNEL", "COMMAND", "GIVE", "HASHES", "KEEP", "SCAN", "SWAP", "TAKE"]

CHANNEL: Final = b"qwasr-watch"  # of marks; no key of a bucket looks like this, since it has no colon
_MARKED: Final = f"""
if ARGV[1] ~= '' then redis.call('PUBLISH', '{CHANNEL.decode()}', '+' .. ARGV[1]) end
local done, answer = pcall(function() %s end)
if ARGV[1] ~= '' then redis.call('PUBLISH', '{CHANNEL.decode()}', '-' .. ARGV[1]) end
if done or type(answer) == 'table' then return answer end
return redis.error_reply(answer)
"""

# Any command. ARGV: the mark, the command.
COMMAND: Final = _MARKED % "return redis.pcall(unpack(ARGV, 2))"
# Compare and set. ARGV: the mark or nothing, whether a value is expected, that value, the new one.
SWAP: Final = (
    _MARKED
    % """
local now = redis.pcall('GET', KEYS[1])
if type(now) == 'table' then return now end
if ARGV[2] == '1' then
  if now ~= ARGV[3] then return {0, now} end
elseif now then
  return {0, now}
end
local set = redis.pcall('SET', KEYS[1], ARGV[4], 'KEEPTTL')
if set.err then return set end
return {1}
"""
)
# Keep an entry for ever, and say whether there is one: PERSIST alone does not tell.
KEEP: Final = "redis.call('PERSIST', KEYS[1]) return redis.call('EXISTS', KEYS[1])"
# One step of a listing. It has a key, unlike the command, so a cluster says when that is on another node by now.
SCAN: Final = "return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])"
# Take a lease, or keep it. ARGV: who, for how many milliseconds.
TAKE: Final = """
local who = redis.call('GET', KEYS[1])
if not who then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
elseif who == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  return 0
end
return 1
"""
# Give it back.
GIVE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

HASHES: Final = {
    script: sha1(script.encode(), usedforsecurity=False).hexdigest()
    for script in (COMMAND, SWAP, KEEP, SCAN, TAKE, GIVE)
}
