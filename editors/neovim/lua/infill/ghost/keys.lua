-- The keys of insert mode, each of which is what it was before when there is nothing to do for it.
-- Knows nothing of what the actions do.

local M = {}

---@class infill.GhostAction
---@field run string what runs, as a `<Cmd>` mapping
---@field can_run fun(): boolean

local function shown()
  return require('infill.ghost.accept').can_take()
end

---@type table<string, infill.GhostAction>
local ACTIONS = {
  accept = { run = "require('infill').accept()", can_run = shown },
  accept_word = { run = "require('infill').accept('word')", can_run = shown },
  accept_line = { run = "require('infill').accept('line')", can_run = shown },
  next = { run = "require('infill').next()", can_run = shown },
  dismiss = { run = "require('infill').dismiss()", can_run = shown },
  trigger = {
    run = "require('infill').trigger()",
    can_run = function()
      return require('infill.client').of() ~= nil
    end,
  },
}

--- Keep what a key does now under a name of its own.
---@param lhs string
---@param name string
---@return boolean is_mapped false when it has no mapping
local function keep_old(lhs, name)
  local old = vim.fn.maparg(lhs, 'i', false, true)
  if vim.tbl_isempty(old) or old.buffer == 1 then
    return false
  end
  local raw = vim.api.nvim_replace_termcodes(name, true, true, true)
  old.lhs, old.lhsraw, old.lhsrawalt = raw, raw, nil
  vim.fn.mapset('i', false, old)
  return true
end

---@type table<string, string> action to its key, of the last `map`
local mapped = {}

--- Map the keys; what they did before they do still when there is nothing to take.
---@param keys infill.Keys
function M.map(keys)
  for action, what in pairs(ACTIONS) do
    local lhs = keys[action]
    if type(lhs) == 'string' and mapped[action] ~= lhs then
      mapped[action] = lhs
      local fallback = ('<Plug>(infill-was-%s)'):format(action)
      if not keep_old(lhs, fallback) then
        fallback = lhs
      end
      vim.keymap.set('i', lhs, function()
        return what.can_run() and ('<Cmd>lua %s<CR>'):format(what.run) or fallback
      end, { expr = true, remap = true, desc = 'infill: ' .. action:gsub('_', ' ') })
    end
  end
end

return M
