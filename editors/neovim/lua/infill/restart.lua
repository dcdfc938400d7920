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
---@type integer? of the server that runs; nil before it serves a buffer
local attached_at_ms
local is_leaving, is_start_due = false, false

vim.api.nvim_create_autocmd('VimLeavePre', {
  group = vim.api.nvim_create_augroup('infill.restart', {}),
  callback = function()
    is_leaving = true
  end,
})

---@param client vim.lsp.Client
function M.note_attached(client)
  if client.initialized then
    attached_at_ms = attached_at_ms or vim.uv.now()
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
  if attached_at_ms and vim.uv.now() - attached_at_ms > HEALTHY_MS then
    num_crashes = 0
  end
  attached_at_ms = nil
  -- A start that is due already, or that will never be, is enough said.
  if is_start_due or num_crashes > #M.waits_ms then
    return
  end
  num_crashes = num_crashes + 1
  local wait_ms = M.waits_ms[num_crashes]
  is_start_due = wait_ms ~= nil
  vim.schedule(function()
    local status = require('infill.status')
    if wait_ms == nil then
      local died = ('the server died %d times and is left alone.'):format(num_crashes)
      status.clear(died)
      notice.warn(died .. ' See :Infill log, then :Infill restart.')
      return
    end
    status.clear('The server died; it is started again.')
    vim.defer_fn(function()
      is_start_due = false
      if not is_leaving then
        M.restart()
      end
    end, wait_ms)
  end)
end

return M
