-- Hands out what the server tells of a request in flight (`infill/update`).
-- Knows nothing of who listens, or why.

local M = {}

---@class infill.Update
---@field token string
---@field sequence integer
---@field step? integer
---@field text string the gap as it stands, noise included
---@field settledLength integer
---@field confidence number[] 0 to 1, one for each canvas position
---@field tokenLengths integer[] how much of `text` each canvas position spells
---@field stable string what may be shown
---@field done boolean
---@field reason? string
---@field message? string

---@type table<string, fun(update: infill.Update)>
local listeners = {}

local num_tokens = 0

--- A token that no other request has.
---@return string
function M.new_token()
  num_tokens = num_tokens + 1
  return ('%d-%d'):format(vim.fn.getpid(), num_tokens)
end

--- Have `listener` called with every update; nil ends that.
---@param name string one listener a name
---@param listener? fun(update: infill.Update)
function M.listen(name, listener)
  listeners[name] = listener
end

---@param update infill.Update
function M.note(update)
  for _, listener in pairs(listeners) do
    listener(update)
  end
end

return M
