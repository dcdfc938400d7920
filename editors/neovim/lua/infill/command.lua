-- The command `:Infill`: one word for what to do, then what that takes.
-- Knows nothing of how it is done.

local notice = require('infill.notice')

local M = {}

---@alias infill.CommandArgs vim.api.keyset.create_user_command.command_args
---@alias infill.Subcommand fun(rest: string, command: infill.CommandArgs)

--- Show what a command line program prints, in a window of its own.
---@param ... string arguments of infill-ls
local function show_output(...)
  local program = require('infill.program').command_line()
  local arguments = { program, ... }
  if vim.fn.executable(program) == 0 then
    return notice.warn(("'%s' is not on PATH; it comes with the server."):format(program))
  end
  vim.system(
    arguments,
    { text = true },
    vim.schedule_wrap(function(done)
      local text = vim.trim((done.stdout or '') .. (done.stderr or ''))
      vim.cmd('botright new')
      local bufnr = vim.api.nvim_get_current_buf()
      vim.bo[bufnr].buftype, vim.bo[bufnr].bufhidden = 'nofile', 'wipe'
      vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(text, '\n', { plain = true }))
      vim.bo[bufnr].modifiable = false
      vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, nowait = true })
    end)
  )
end

local function say_status()
  local status = vim.g.infill_status or { state = 'stopped', message = 'No server runs.' }
  local attach = require('infill.attach')
  local words = { ('%s: %s'):format(status.state, status.message) }
  local bufnr = vim.api.nvim_get_current_buf()
  if require('infill.client').of(bufnr) == nil then
    table.insert(words, 'This buffer is not served; :checkhealth infill says why.')
  elseif not attach.is_on(bufnr) then
    table.insert(words, 'Suggestions are switched off here; :Infill toggle switches them on.')
  end
  notice.say(table.concat(words, ' '))
end

--- Neovim 0.12 has another name for it.
local function open_log()
  local path = vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename()
    or vim.lsp.get_log_path()
  vim.cmd.split(vim.fn.fnameescape(path))
  vim.cmd.normal({ 'G', bang = true })
end

---@param name "accept"|"discard"|"retry"
local function decide(name)
  return function()
    local rewrite = require('infill.rewrite.run')
    if name == 'accept' and not rewrite.is_open() then
      if not require('infill').accept() then
        notice.say('there is nothing to accept.')
      end
      return
    end
    rewrite[name]()
  end
end

---@type table<string, infill.Subcommand>
local SUBCOMMANDS = {
  accept = decide('accept'),
  discard = decide('discard'),
  retry = decide('retry'),
  denoise = function()
    require('infill.denoise').open()
  end,
  dismiss = function()
    require('infill').dismiss()
  end,
  doctor = function()
    show_output('doctor', '--no-start')
  end,
  log = open_log,
  next = function()
    require('infill').next()
  end,
  restart = function()
    require('infill.restart').restart_by_hand()
  end,
  rewrite = function(rest, command)
    if command.range == 0 then
      return notice.warn("select lines first: :'<,'>Infill rewrite, or give a range.")
    end
    require('infill.rewrite.run').start(command.line1 - 1, command.line2 - 1, rest)
  end,
  stats = function()
    show_output('stats')
  end,
  status = say_status,
  toggle = function(rest)
    if rest ~= '' and rest ~= 'buffer' then
      return notice.warn(("toggle takes nothing or 'buffer', not '%s'."):format(rest))
    end
    require('infill').toggle(rest == 'buffer')
  end,
  trigger = function()
    require('infill').trigger()
  end,
}

---@return string[]
local function names()
  local all = vim.tbl_keys(SUBCOMMANDS)
  table.sort(all)
  return all
end

---@param command infill.CommandArgs
function M.run(command)
  local name, rest = command.args:match('^(%S*)%s*(.-)%s*$')
  if name == '' then
    return say_status()
  end
  local run = SUBCOMMANDS[name]
  if run == nil then
    local known = table.concat(names(), ', ')
    return notice.warn((":Infill knows no '%s'; it knows %s."):format(name, known))
  end
  run(rest, command)
end

--- What may be typed next.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local before = vim.trim(line:sub(1, #line - #lead)):gsub('^.-Infill%s*', '')
  local choices = before == '' and names() or before == 'toggle' and { 'buffer' } or {}
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, choices)
end

return M
