-- What a user's configuration calls. `setup` is optional; every function may be mapped to a key.
-- Knows nothing of how any of it is done.

local config = require('infill.config')
local notice = require('infill.notice')

local M = {}

--- Set options, start the server for every file, map keys if wished. Wrong options are told and
--- fall back to their defaults.
---@param options? table see |infill-options|
function M.setup(options)
  if vim.fn.has('nvim-0.11') == 0 then
    notice.warn('Neovim 0.11 or newer is needed; this one is ' .. tostring(vim.version()))
    return
  end
  local problems
  config.current, problems = config.read(options)
  config.is_set_up = true
  for _, problem in ipairs(problems) do
    notice.warn(problem)
  end
  local init_options = vim.deepcopy(config.current.settings)
  init_options.workspaceTrusted = config.current.workspace_trusted
  vim.lsp.config('infill', { cmd = config.current.cmd, init_options = init_options })
  require('infill.highlights').define()
  if config.current.keys then
    require('infill.ghost.keys').map(config.current.keys --[[@as infill.Keys]])
  end
  for _, client in ipairs(vim.lsp.get_clients({ name = 'infill' })) do
    vim.iter(vim.tbl_keys(client.attached_buffers)):each(require('infill.attach').refresh)
  end
  if config.current.autostart then
    vim.lsp.enable('infill')
    require('infill.program').tell_if_missing()
  end
end

--- Take the suggestion, or its next word or line.
---@param part? infill.Part "all" if nil
---@return boolean is_taken
function M.accept(part)
  return require('infill.ghost.accept').take(part or 'all')
end

--- Hide the suggestion and stop waiting for one.
function M.dismiss()
  require('infill.ghost.follow').clear()
end

--- Ask for a suggestion at the cursor, by hand.
function M.trigger()
  if require('infill.client').of() == nil then
    return notice.warn('the server does not serve this buffer; :checkhealth infill says why.')
  end
  local problem = require('infill.ghost.follow').trigger()
  if problem then
    notice.say(problem)
  end
end

--- Show another suggestion for this place, if there is one.
function M.next()
  local num_here = require('infill.ghost.state').show_next()
  if num_here < 2 then
    notice.say(num_here == 0 and 'No suggestion is shown.' or 'There is only one suggestion here.')
  end
end

--- Whether a suggestion is shown: for mappings of your own.
---@return boolean
function M.is_shown()
  return require('infill.ghost.accept').can_take()
end

--- Switch suggestions off or on again.
---@param in_buffer_only? boolean the current buffer only; everywhere if nil
function M.toggle(in_buffer_only)
  local scope = in_buffer_only and vim.b or vim.g
  scope.infill_enabled = scope.infill_enabled == false
  M.dismiss()
  for _, client in ipairs(vim.lsp.get_clients({ name = 'infill' })) do
    vim.iter(vim.tbl_keys(client.attached_buffers)):each(require('infill.attach').refresh)
  end
  vim.cmd.redrawstatus({ bang = true })
  notice.say(
    ('suggestions are %s%s.'):format(
      scope.infill_enabled and 'on' or 'off',
      in_buffer_only and ' in this buffer' or ''
    )
  )
end

--- A short text for a statusline: "" when no server runs.
---@return string
function M.statusline()
  return require('infill.status').statusline()
end

return M
