-- What the plugin says to the user, always in the same voice. Knows nothing of why it is said.

local M = {}

---@param message string
---@param level? integer of vim.log.levels; INFO if nil
function M.say(message, level)
  vim.notify('infill: ' .. message, level or vim.log.levels.INFO)
end

---@param message string
function M.warn(message)
  M.say(message, vim.log.levels.WARN)
end

return M
