-- Asks the server for the gap at the cursor, one request at a time, and offers what comes.
-- Knows nothing of when to ask, or of how a suggestion is drawn.

local client_of = require('infill.client')
local notice = require('infill.notice')
local state = require('infill.ghost.state')
local suggestions = require('infill.ghost.suggestion')
local updates = require('infill.updates')

local M = {}

local INVOKED, AUTOMATIC = 1, 2

---@class infill.Asked
---@field suggestion infill.Suggestion
---@field token string
---@field client vim.lsp.Client
---@field request_id? integer
---@field message? string why nothing is offered

---@type infill.Asked?
local asked

--- Whether an answer is waited for.
---@return boolean
function M.is_waiting()
  return asked ~= nil
end

--- End the request in flight; what is shown stays.
function M.cancel()
  if asked then
    local client, request_id = asked.client, asked.request_id
    asked = nil
    if request_id and not client:is_stopped() then
      client:cancel_request(request_id)
    end
  end
end

---@param update infill.Update
local function on_update(update)
  if asked == nil or update.token ~= asked.token then
    return
  end
  local suggestion = asked.suggestion
  if update.done then
    -- JSON's null comes as vim.NIL.
    asked.message = type(update.message) == 'string' and update.message or nil
  elseif #update.stable > #suggestion.text and vim.startswith(update.stable, suggestion.text) then
    suggestion.text = client_of.with_lf(update.stable)
    state.offer(suggestion)
  end
end

---@param this infill.Asked
local function on_nothing(this)
  local suggestion = this.suggestion
  suggestion.is_done = true
  if suggestion.text ~= '' and state.shown == suggestion and state.rest() then
    -- The user typed along while it came: the server knows the rest, for where the cursor is now.
    M.ask(false)
  elseif suggestion.is_invoked and this.message then
    notice.say(this.message)
  end
end

---@param this infill.Asked
---@param item lsp.InlineCompletionItem
local function on_item(this, item)
  local suggestion = this.suggestion
  local text = type(item.insertText) == 'table' and item.insertText.value or item.insertText
  text = client_of.with_lf(text --[[@as string]])
  suggestion.is_done = true
  suggestion.command = item.command
  if vim.startswith(text, suggestion.text) then
    suggestion.text = text
  end
  state.remember(suggestion)
  state.offer(suggestion)
end

--- Ask for the gap at the cursor; a request in flight is ended first.
---@param is_invoked boolean whether the user asked for it
function M.ask(is_invoked)
  M.cancel()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_of.of(bufnr)
  if client == nil then
    return
  end
  local suggestion = suggestions.at_cursor(is_invoked)
  ---@type infill.Asked
  local this = { suggestion = suggestion, token = updates.new_token(), client = client }
  asked = this
  updates.listen('ghost', on_update)
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(bufnr) },
    position = client_of.position(client, bufnr, suggestion.row, suggestion.byte_col),
    context = { triggerKind = is_invoked and INVOKED or AUTOMATIC },
    token = this.token,
  }
  local is_sent, request_id = client:request('infill/stream', params, function(failure, result)
    if asked ~= this then
      return
    end
    asked = nil
    -- A failure is told in the status; here the answer is that there is none.
    local items = not failure and type(result) == 'table' and (result.items or result) or {}
    if items[1] then
      on_item(this, items[1])
    else
      on_nothing(this)
    end
  end, bufnr)
  if is_sent then
    this.request_id = request_id
  else
    asked = nil
  end
end

return M
