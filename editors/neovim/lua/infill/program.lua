-- The program of the language server, and of the command line that comes with it.
-- Knows nothing of what either is used for.

local notice = require('infill.notice')

local M = {}

--- How to mend a server that is not found.
---@type string[]
M.ADVICE = {
  'pipx install infill-ls',
  'or name it: vim.lsp.config("infill", { cmd = { "/path/to/infill-ls" } })',
}

--- How the server is started; nil if a function of the user's does that.
---@return string[]?
function M.command()
  local cmd = (vim.lsp.config.infill or {}).cmd
  return type(cmd) == 'table' and cmd or nil
end

--- Whether the server's program is nowhere to be found.
---@return boolean
function M.is_missing()
  local command = M.command()
  return command ~= nil and vim.fn.executable(command[1]) == 0
end

--- Say so if it is missing: Neovim itself only logs it.
function M.tell_if_missing()
  if M.is_missing() then
    notice.warn(
      ("'%s' is not installed or not on PATH: %s"):format(
        M.command()[1],
        table.concat(M.ADVICE, ', ')
      )
    )
  end
end

--- The program of the command line: the server's own, unless that is started in another way.
---@return string
function M.command_line()
  local command = M.command()
  local program = command and command[1] or ''
  return vim.fs.basename(program):find('^infill%-ls') and program or 'infill-ls'
end

return M
