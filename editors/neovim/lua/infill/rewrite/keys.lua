-- The keys of normal mode while a rewrite is on the screen; afterwards they are what they were.
-- Knows nothing of what they do.

local config = require('infill.config')

local M = {}

---@class infill.KeptKey
---@field bufnr integer
---@field lhs string
---@field old? table what `maparg` said, if the buffer had a mapping of its own

---@type infill.KeptKey[]
local kept = {}

---@param bufnr integer
---@param actions table<string, fun()> by the names of `rewrite.keys`
function M.map(bufnr, actions)
  local keys = config.current.rewrite.keys
  M.unmap()
  if not keys then
    return
  end
  for action, run in pairs(actions) do
    local lhs = keys[action]
    if lhs then
      local old = vim.api.nvim_buf_call(bufnr, function()
        return vim.fn.maparg(lhs, 'n', false, true)
      end)
      table.insert(kept, { bufnr = bufnr, lhs = lhs, old = old.buffer == 1 and old or nil })
      vim.keymap.set('n', lhs, run, {
        buffer = bufnr,
        nowait = true,
        desc = 'infill: rewrite, ' .. action,
      })
    end
  end
end

function M.unmap()
  for _, key in ipairs(kept) do
    if vim.api.nvim_buf_is_valid(key.bufnr) then
      pcall(vim.keymap.del, 'n', key.lhs, { buffer = key.bufnr })
      if key.old then
        vim.api.nvim_buf_call(key.bufnr, function()
          vim.fn.mapset('n', false, key.old)
        end)
      end
    end
  end
  kept = {}
end

--- What the user may press, in words: "" where no keys are mapped.
---@return string
function M.hint()
  local keys = config.current.rewrite.keys
  if not keys then
    return ':Infill accept, discard or retry'
  end
  local words = {}
  for _, action in ipairs({ 'accept', 'discard', 'retry' }) do
    table.insert(words, ('%s %s'):format(keys[action] or ':Infill ' .. action, action))
  end
  return table.concat(words, ' · ')
end

return M
