-- Starts a server that died again: later each time, and a few times only.
-- Knows nothing of why it died; the log does.

local notice = require('infill.notice')

local M = {}

--- Waits before each new start; after the last the server stays down until `:Infill restart`.
---@type integer[]
M.waits_ms = { 1000, 4000, 15000 }

-- A server that has lived this long died of something new.
local HEALTHY_MS = 60000

local num_crashes = 0
local attached_at_ms = 0
local is_leaving = false

vim.api.nvim_create_autocmd('VimLeavePre', {
  group = vim.api.nvim_create_augroup('infill.restart', {}),
  callback = function()
    is_leaving = true
  end,
})

---@param client vim.lsp.Client
function M.note_attached(client)
  if client.initialized then
    attached_at_ms = vim.uv.now()
  end
end

--- Start the server for every open buffer that it serves.
function M.restart()
  vim.lsp.enable('infill')
end

--- Start it at once, as if it had never died.
function M.restart_by_hand()
  num_crashes = 0
  for _, client in ipairs(vim.lsp.get_clients({ name = 'infill' })) do
    client:stop(true)
  end
  vim.defer_fn(M.restart, 200)
end

--- The server's process has ended. After a stop that was asked for nothing is done.
---@param code integer
---@param signal integer
function M.note_exit(code, signal)
  if is_leaving or (code == 0 and signal == 0) then
    return
  end
  if vim.uv.now() - attached_at_ms > HEALTHY_MS then
    num_crashes = 0
  end
  num_crashes = num_crashes + 1
  local wait_ms = M.waits_ms[num_crashes]
  vim.schedule(function()
    local status = require('infill.status')
    if wait_ms == nil then
      status.clear(('The server died %d times.'):format(num_crashes))
      notice.warn(
        ('the server died %d times and is left alone. See :Infill log, then :Infill restart.'):format(
          num_crashes
        )
      )
      return
    end
    status.clear('The server died; it is started again.')
    vim.defer_fn(function()
      if not is_leaving then
        M.restart()
      end
    end, wait_ms)
  end)
end

return M
