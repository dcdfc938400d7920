-- One rewrite from the order to the user's decision: asked, shown as it converges, then taken,
-- discarded or asked for again. Knows nothing of how it is drawn.

local client_of = require('infill.client')
local draw = require('infill.rewrite.draw')
local keys = require('infill.rewrite.keys')
local notice = require('infill.notice')

local M = {}

---@class infill.Rewrite
---@field bufnr integer
---@field client vim.lsp.Client
---@field instruction string
---@field old string[] the lines to be replaced
---@field mark_id integer
---@field seed? integer
---@field text? string what they are to be replaced by, once it is whole

---@type infill.Rewrite?
local current
local num_retries = 0

--- Whether a rewrite is being made or waits for a decision.
---@return boolean
function M.is_open()
  return current ~= nil
end

local function close()
  if current then
    draw.clear(current.bufnr)
    keys.unmap()
    current = nil
  end
end

---@param text string
---@param settled_bytes integer
---@param hint string
local function show(text, settled_bytes, hint)
  if current then
    draw.show(current.bufnr, current.mark_id, text, settled_bytes, hint)
  end
end

---@param this infill.Rewrite
---@return boolean
local function stands(this)
  if not vim.api.nvim_buf_is_valid(this.bufnr) then
    return false
  end
  local first, last = draw.place(this.bufnr, this.mark_id)
  if first == nil or last == nil then
    return false
  end
  return vim.deep_equal(vim.api.nvim_buf_get_lines(this.bufnr, first, last + 1, false), this.old)
end

---@param this infill.Rewrite
---@param failure? lsp.ResponseError
---@param result any
local function on_answer(this, failure, result)
  if current ~= this then
    return
  end
  if failure then
    close()
    notice.warn(failure.message)
  elseif type(result) ~= 'table' or type(result.text) ~= 'string' then
    close()
    local reason = type(result) == 'table' and result.reason
    if reason ~= 'cancelled' then
      notice.warn(type(reason) == 'string' and reason or 'the server gave no text.')
    end
  else
    -- Whole lines are replaced: a line break at the end would be an empty line more.
    this.text = client_of.with_lf(result.text):gsub('\n+$', '')
    show(this.text, #this.text, keys.hint())
    if type(result.note) == 'string' and result.note ~= '' then
      notice.say(result.note)
    end
  end
end

---@param this infill.Rewrite
local function ask(this)
  local first, last = draw.place(this.bufnr, this.mark_id)
  if first == nil or last == nil then
    return
  end
  show('', 0, 'rewriting …')
  this.text = nil
  this.client:request('workspace/executeCommand', {
    command = 'infill.rewriteSelection',
    arguments = {
      {
        uri = vim.uri_from_bufnr(this.bufnr),
        range = {
          start = { line = first, character = 0 },
          ['end'] = client_of.position(this.client, this.bufnr, last, #this.old[#this.old]),
        },
        instruction = this.instruction,
        seed = this.seed,
        apply = false,
      },
    },
  }, function(failure, result)
    on_answer(this, failure, result)
  end, this.bufnr)
end

--- Rewrite lines of the current buffer. The buffer stays as it is until `accept`.
---@param first_row integer from 0
---@param last_row integer from 0, included
---@param instruction string "" for none
function M.start(first_row, last_row, instruction)
  local bufnr = vim.api.nvim_get_current_buf()
  local client = client_of.of(bufnr)
  if client == nil then
    return notice.warn('the server does not serve this buffer; :checkhealth infill says why.')
  elseif not vim.bo[bufnr].modifiable then
    return notice.warn('this buffer cannot be changed.')
  end
  M.discard()
  current = {
    bufnr = bufnr,
    client = client,
    instruction = instruction,
    old = vim.api.nvim_buf_get_lines(bufnr, first_row, last_row + 1, true),
    mark_id = draw.mark_old(bufnr, first_row, last_row),
  }
  keys.map(bufnr, { accept = M.accept, discard = M.discard, retry = M.retry })
  ask(current)
end

--- Put the new lines in the place of the old: one undo step. Refused if those have changed.
function M.accept()
  local this = current
  if this == nil then
    return notice.say('there is no rewrite to accept.')
  elseif this.text == nil then
    return notice.say('the rewrite is not finished yet.')
  elseif not stands(this) then
    close()
    return notice.warn('the lines have changed since; nothing was replaced. Select them again.')
  end
  local first, last = draw.place(this.bufnr, this.mark_id)
  ---@cast first integer
  ---@cast last integer
  local lines = vim.split(this.text, '\n', { plain = true })
  close()
  vim.cmd('let &g:undolevels = &g:undolevels')
  vim.api.nvim_buf_set_lines(this.bufnr, first, last + 1, true, lines)
end

--- Leave the lines as they are; what is still being made is given up.
function M.discard()
  local this = current
  if this == nil then
    return
  end
  close()
  if this.text == nil and not this.client:is_stopped() then
    this.client:exec_cmd({
      title = 'Cancel the rewrite',
      command = 'infill.cancelRewrite',
      arguments = { vim.uri_from_bufnr(this.bufnr) },
    }, { bufnr = this.bufnr })
  end
end

--- Ask again, with another seed.
function M.retry()
  local this = current
  if this == nil then
    return notice.say('there is no rewrite to repeat.')
  elseif not stands(this) then
    close()
    return notice.warn('the lines have changed since. Select them again.')
  end
  num_retries = num_retries + 1
  -- A new order: the answer to the one before is nobody's now.
  current = vim.tbl_extend('force', this, { seed = num_retries, client = this.client })
  ask(current)
end

--- The server shows how far a rewrite is.
---@param preview { uri: string, text: string, settledLength: integer, done: boolean }
function M.note_preview(preview)
  local this = current
  if this == nil or this.text or preview.done or preview.uri ~= vim.uri_from_bufnr(this.bufnr) then
    return
  end
  local num_units =
    math.min(preview.settledLength, vim.str_utfindex(preview.text, this.client.offset_encoding))
  local settled = vim.str_byteindex(preview.text, this.client.offset_encoding, num_units)
  show(client_of.with_lf(preview.text), settled, 'rewriting …')
end

return M
