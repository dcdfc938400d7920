-- What is done for a buffer that the server serves: our ghost text or Neovim's own, never both.
-- Knows nothing of how either is drawn.

local config = require('infill.config')

local M = {}

--- Whether suggestions are switched on for a buffer: by `:Infill toggle`, or by hand in
--- `vim.g.infill_enabled` and `vim.b.infill_enabled`.
---@param bufnr integer
---@return boolean
function M.is_on(bufnr)
  return vim.g.infill_enabled ~= false and vim.b[bufnr].infill_enabled ~= false
end

--- Whether the plugin draws the ghost text itself: after `setup`, and where Neovim cannot.
---@return boolean
function M.is_own_ghost()
  if vim.lsp.inline_completion == nil then
    return config.current.ghost.enabled
  end
  return config.is_set_up and config.current.ghost.enabled
end

---@param bufnr integer
---@param is_enabled boolean
local function set_builtin(bufnr, is_enabled)
  local builtin = vim.lsp.inline_completion
  if builtin and builtin.is_enabled({ bufnr = bufnr }) ~= is_enabled then
    builtin.enable(is_enabled, { bufnr = bufnr })
  end
end

--- Begin to show suggestions in a buffer.
---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  require('infill.highlights').define()
  require('infill.restart').note_attached(client)
  M.refresh(bufnr)
end

--- Take over what is switched on or off.
---@param bufnr integer
function M.refresh(bufnr)
  if M.is_own_ghost() then
    set_builtin(bufnr, false)
    require('infill.ghost.follow').watch(bufnr)
  else
    set_builtin(bufnr, M.is_on(bufnr))
  end
end

--- The server has let go of a buffer, or died.
---@param bufnr integer
function M.detach(bufnr)
  if M.is_own_ghost() then
    require('infill.ghost.follow').unwatch(bufnr)
  end
end

return M
