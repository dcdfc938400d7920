-- Follows the user: what each event in insert mode means for the suggestion.
-- Read this first of `ghost/`. Knows nothing of the protocol or of extmarks.

local attach = require('infill.attach')
local config = require('infill.config')
local menu = require('infill.ghost.menu')
local request = require('infill.ghost.request')
local state = require('infill.ghost.state')

local M = {}

local GROUP = vim.api.nvim_create_augroup('infill.ghost', {})

-- The text that `I` or `A` types on a block goes into every line of it when insert mode ends.
local is_block_insert = false
-- Of the buffer when last looked at: tells typing from moving about.
local last_tick = -1

--- Whether suggestions are out of place here, asked for or not: where keys are not plain typing.
---@param bufnr integer
---@return boolean
local function stays_out(bufnr)
  return not vim.api.nvim_get_mode().mode:find('^i')
    or is_block_insert
    or vim.fn.reg_recording() ~= ''
    or vim.fn.reg_executing() ~= ''
    or vim.b[bufnr].visual_multi ~= nil
    or not vim.bo[bufnr].modifiable
    or not attach.is_on(bufnr)
end

---@param bufnr integer
---@return boolean
local function asks_while_typing(bufnr)
  local ghost = config.current.ghost
  return ghost.auto and not vim.list_contains(ghost.disabled_filetypes, vim.bo[bufnr].filetype)
end

--- Show nothing, wait for nothing.
function M.clear()
  request.cancel()
  state.clear()
end

--- The text or the menu has changed: show the rest of the suggestion, or ask for another.
---@param bufnr integer
local function on_text(bufnr)
  last_tick = vim.api.nvim_buf_get_changedtick(bufnr)
  if stays_out(bufnr) then
    return M.clear()
  end
  if state.shown then
    local rest = state.rest()
    if rest ~= nil and rest ~= '' then
      state.redraw()
      return
    end
  end
  M.clear()
  if asks_while_typing(bufnr) and not menu.is_in_the_way() then
    request.ask(false)
  end
end

---@param bufnr integer
local function on_cursor(bufnr)
  -- A change of the text is told after the move that comes with it.
  if vim.api.nvim_buf_get_changedtick(bufnr) == last_tick and not state.redraw() then
    M.clear()
  end
end

---@param bufnr integer
local function on_menu(bufnr)
  if menu.is_in_the_way() then
    request.cancel()
    state.redraw()
  elseif vim.api.nvim_get_current_buf() == bufnr then
    on_text(bufnr)
  end
end

local HANDLERS = {
  TextChangedI = on_text,
  TextChangedP = on_text,
  CursorMovedI = on_cursor,
  -- The menu opens or closes after its event.
  CompleteChanged = vim.schedule_wrap(on_menu),
  CompleteDone = vim.schedule_wrap(on_menu),
  InsertEnter = vim.schedule_wrap(function(bufnr)
    if vim.api.nvim_get_current_buf() == bufnr then
      on_text(bufnr)
    end
  end),
  InsertLeave = function()
    is_block_insert = false
    M.clear()
  end,
  BufLeave = M.clear,
}

--- Begin to follow the user in a buffer.
---@param bufnr integer
function M.watch(bufnr)
  vim.api.nvim_clear_autocmds({ group = GROUP, buffer = bufnr })
  for event, handle in pairs(HANDLERS) do
    vim.api.nvim_create_autocmd(event, {
      group = GROUP,
      buffer = bufnr,
      callback = function()
        handle(bufnr)
      end,
    })
  end
end

---@param bufnr integer
function M.unwatch(bufnr)
  vim.api.nvim_clear_autocmds({ group = GROUP, buffer = bufnr })
  if state.shown == nil or state.shown.bufnr == bufnr then
    M.clear()
  end
end

--- Ask by hand, also where nothing is asked while typing.
---@return string? problem why nothing can be asked here
function M.trigger()
  local bufnr = vim.api.nvim_get_current_buf()
  if not attach.is_on(bufnr) then
    return 'Suggestions are switched off here; :Infill toggle switches them on.'
  elseif stays_out(bufnr) then
    return 'Suggestions are for insert mode, outside of macros and block inserts.'
  end
  request.ask(true)
end

vim.api.nvim_create_autocmd('ModeChanged', {
  group = GROUP,
  pattern = '\22:i*',
  callback = function()
    is_block_insert = true
    M.clear()
  end,
})
vim.api.nvim_create_autocmd('User', {
  group = GROUP,
  pattern = { 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose' },
  callback = vim.schedule_wrap(function()
    if state.shown then
      on_menu(state.shown.bufnr)
    end
  end),
})

return M
