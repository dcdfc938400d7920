-- `:checkhealth infill`: what is there, what is missing, and what to do about it.
-- Changes nothing and starts nothing.

local M = {}

local health = vim.health
-- The first start of Python may be slow; a program that hangs must not hang the editor.
local PROGRAM_TIMEOUT_MS = 15000

local function check_neovim()
  health.start('Neovim')
  if vim.fn.has('nvim-0.11') == 0 then
    health.error('Neovim 0.11 or newer is needed', 'Update Neovim.')
    return
  end
  local config = require('infill.config')
  local ghost = 'none: ghost.enabled is false and this Neovim has none'
  if require('infill.attach').is_own_ghost() then
    ghost = "the plugin's own"
  elseif vim.lsp.inline_completion then
    ghost = "Neovim's own (setup() switches to the plugin's, which streams)"
  end
  health.ok(('Neovim %s, ghost text: %s'):format(tostring(vim.version()), ghost))
  health.info(config.is_set_up and 'setup() was called' or 'setup() was not called; it is optional')
end

local function check_program()
  health.start('Server')
  local program = require('infill.program')
  local cmd = program.command()
  if cmd == nil then
    health.info('The server is started by a function of yours')
    return
  elseif program.is_missing() then
    health.error(("'%s' is not installed or not on PATH"):format(cmd[1]), program.ADVICE)
    return
  end
  local path = vim.fn.exepath(cmd[1])
  if not vim.fs.basename(cmd[1]):find('^infill%-ls') then
    health.ok(('Started as: %s'):format(table.concat(cmd, ' ')))
    return
  end
  local is_run, done = pcall(function()
    return vim.system({ path, '--version' }, { text = true }):wait(PROGRAM_TIMEOUT_MS)
  end)
  if is_run and done.code == 0 then
    health.ok(('%s: %s'):format(path, vim.trim(done.stdout)))
  else
    health.error(path .. ' does not run', { 'Run it in a terminal: ' .. path .. ' --version' })
  end
end

---@param bufnr integer
---@return string reason
local function why_not_served(bufnr)
  local config = require('infill.config').current
  local size_bytes = vim.api.nvim_buf_get_offset(bufnr, vim.api.nvim_buf_line_count(bufnr))
  if vim.api.nvim_buf_get_name(bufnr) == '' then
    return 'it has no name yet; save it first'
  elseif vim.bo[bufnr].buftype ~= '' then
    return ("it is no file (buftype '%s')"):format(vim.bo[bufnr].buftype)
  elseif size_bytes > config.max_file_bytes then
    return ('it has %d bytes, more than max_file_bytes (%d)'):format(
      size_bytes,
      config.max_file_bytes
    )
  elseif vim.bo[bufnr].filetype == '' then
    return 'it has no filetype'
  end
  return "the server does not run; is vim.lsp.enable('infill') or setup() in your configuration?"
end

---@param bufnr integer
local function check_buffer(bufnr)
  health.start('Buffer ' .. vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':~:.'))
  local client = require('infill.client').of(bufnr)
  if client == nil then
    health.warn('Not served: ' .. why_not_served(bufnr))
    return
  end
  health.ok(('Served by client %d, root %s'):format(client.id, client.root_dir or 'none'))
  if not require('infill.attach').is_on(bufnr) then
    health.warn('Suggestions are switched off here', ':Infill toggle')
  end
end

local function check_engine()
  health.start('Engine')
  local status = vim.g.infill_status
  if type(status) ~= 'table' then
    health.info('No server has told of it yet')
  elseif status.state == 'ready' then
    health.ok(status.message)
  elseif status.state == 'unavailable' then
    health.error(status.message, { ':Infill doctor', ':Infill log' })
  else
    health.warn(('%s: %s'):format(status.state, status.message))
  end
end

function M.check()
  -- The report is a buffer itself: the one before it is meant.
  local bufnr = vim.fn.bufnr('#')
  check_neovim()
  check_program()
  check_engine()
  if bufnr > 0 and vim.api.nvim_buf_is_loaded(bufnr) then
    check_buffer(bufnr)
  end
end

return M
