-- How the engine is, as the server tells it: kept in `vim.g.infill_status`, said when it is bad.
-- Knows nothing of processes; the server finds and restarts the engine.

local notice = require('infill.notice')

local M = {}

---@class infill.Status
---@field state "stopped"|"starting"|"ready"|"unavailable"|"withheld"
---@field message string
---@field percent? number 0 to 100 while starting

-- The same trouble is not told again within this time, however often it comes and goes.
local QUIET_MS = 60000

---@type string?
local told
local told_at_ms = 0

--- Take what the server tells; redraws the statusline and fires `User InfillStatus`.
---@param status infill.Status
function M.note(status)
  vim.g.infill_status = {
    state = status.state,
    message = status.message,
    percent = type(status.percent) == 'number' and status.percent or nil,
  }
  if status.state == 'unavailable' then
    M.tell(status.message)
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'InfillStatus', modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

--- Warn, unless this was said a short while ago.
---@param message string
function M.tell(message)
  local now_ms = vim.uv.now()
  if message == told and now_ms - told_at_ms < QUIET_MS then
    return
  end
  told, told_at_ms = message, now_ms
  notice.warn(message .. ' (:Infill log has more)')
end

--- A short text for a statusline, "" when no server runs.
---@return string
function M.statusline()
  local status = vim.g.infill_status
  if type(status) ~= 'table' or not status.state then
    return ''
  end
  if vim.g.infill_enabled == false or vim.b.infill_enabled == false then
    return 'infill off'
  end
  if status.state == 'ready' then
    return require('infill.ghost.request').is_waiting() and 'infill …' or 'infill'
  end
  if status.state == 'starting' and status.percent then
    return ('infill %d%%'):format(math.floor(status.percent))
  end
  return 'infill ' .. status.state
end

--- No server runs any more.
---@param why string a sentence
function M.clear(why)
  M.note({ state = 'stopped', message = why })
end

return M
