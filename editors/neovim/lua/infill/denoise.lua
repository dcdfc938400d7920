-- A window that shows the canvas after every denoising step, coloured by how sure the model is.
-- Knows nothing of ghost text; it looks on at whatever request is made.

local client_of = require('infill.client')
local notice = require('infill.notice')
local updates = require('infill.updates')

local M = {}

local namespace = vim.api.nvim_create_namespace('infill.denoise')
local HEADER_LINES = 2
local NUM_COLOURS = 5

---@type integer?
local bufnr
---@type string?
local token
--- The steps of one request, oldest first.
---@type infill.Update[]
local steps = {}
local shown_idx = 0
local encoding = 'utf-16'

---@param confidence number 0 to 1
---@return string
local function colour(confidence)
  local idx = math.min(NUM_COLOURS, 1 + math.floor(confidence * NUM_COLOURS))
  return 'InfillConfidence' .. idx
end

---@param text string
---@param num_units integer
---@return integer num_bytes
local function to_bytes(text, num_units)
  return vim.str_byteindex(text, encoding, num_units, false)
end

--- Colour `text` between two bytes of it, over however many lines.
---@param text string
---@param begin integer
---@param finish integer
---@param group string
local function paint(text, begin, finish, group)
  local function place(byte)
    local before = text:sub(1, byte)
    local _, row = before:gsub('\n', '')
    return row + HEADER_LINES, #before:match('[^\n]*$')
  end
  local row, byte_col = place(begin)
  local end_row, end_col = place(finish)
  vim.api.nvim_buf_set_extmark(bufnr --[[@as integer]], namespace, row, byte_col, {
    end_row = end_row,
    end_col = end_col,
    hl_group = group,
  })
end

---@param update infill.Update
---@return string
local function title(update)
  if update.done then
    local message = type(update.message) == 'string' and update.message or 'done'
    return ('step %d of %d · %s'):format(shown_idx, #steps, message)
  end
  local num_all = vim.str_utfindex(update.text, encoding)
  return ('step %d of %d · %d of %d characters settled · [ ] earlier, later'):format(
    shown_idx,
    #steps,
    update.settledLength,
    num_all
  )
end

local function draw()
  local update = steps[shown_idx]
  if bufnr == nil or not vim.api.nvim_buf_is_valid(bufnr) or update == nil then
    return
  end
  local lines = vim.split(update.text, '\n', { plain = true })
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, { (title(update):gsub('\n', ' ')), '' })
  vim.api.nvim_buf_set_lines(bufnr, HEADER_LINES, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  vim.hl.range(bufnr, namespace, 'InfillHint', { 0, 0 }, { 0, -1 })
  local settled = to_bytes(update.text, update.settledLength)
  if settled > 0 then
    paint(update.text, 0, settled, 'InfillSettled')
  end
  -- What the positions of the canvas do not spell comes before them.
  local num_units = vim.str_utfindex(update.text, encoding)
  for _, length in ipairs(update.tokenLengths) do
    num_units = num_units - length
  end
  for idx, length in ipairs(update.tokenLengths) do
    local begin = to_bytes(update.text, num_units)
    num_units = num_units + length
    local finish = to_bytes(update.text, num_units)
    if length > 0 and finish > settled then
      paint(update.text, math.max(begin, settled), finish, colour(update.confidence[idx] or 0))
    end
  end
end

---@param update infill.Update
local function on_update(update)
  if update.token ~= token then
    if update.done and update.text == '' then
      return -- given up, or nothing to look at
    end
    token, steps = update.token, {}
  end
  table.insert(steps, update)
  shown_idx = #steps
  draw()
end

---@param by integer
local function go(by)
  shown_idx = math.max(1, math.min(#steps, shown_idx + by))
  draw()
end

--- Ask for the gap at the cursor, to have something to look at.
---@param client vim.lsp.Client
---@param source integer
---@param window integer
local function ask(client, source, window)
  local row, byte_col = unpack(vim.api.nvim_win_get_cursor(window))
  client:request('infill/stream', {
    textDocument = { uri = vim.uri_from_bufnr(source) },
    position = client_of.position(client, source, row - 1, byte_col),
    context = { triggerKind = 1 },
    token = updates.new_token(),
  }, function() end, source)
end

local function close()
  updates.listen('denoise', nil)
  bufnr, token, steps = nil, nil, {}
end

--- Open the window beside the current one; it follows every request from now on. In normal mode
--- the gap at the cursor is asked for at once.
function M.open()
  local source, window = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_win()
  local client = client_of.of(source)
  if client == nil then
    return notice.warn('the server does not serve this buffer; :checkhealth infill says why.')
  end
  encoding = client.offset_encoding
  if bufnr == nil or not vim.api.nvim_buf_is_valid(bufnr) then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.bo[bufnr].bufhidden = 'wipe'
    vim.api.nvim_buf_set_name(bufnr, 'infill://denoise')
    vim.api.nvim_create_autocmd('BufWipeout', { buffer = bufnr, callback = close })
    for lhs, by in pairs({ ['['] = -1, [']'] = 1 }) do
      vim.keymap.set('n', lhs, function()
        go(by)
      end, { buffer = bufnr, nowait = true, desc = 'infill: another step' })
    end
    vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, nowait = true })
    vim.api.nvim_open_win(bufnr, false, { split = 'right', win = window, style = 'minimal' })
    vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, { 'waiting for a request …' })
    vim.bo[bufnr].modifiable = false
  end
  updates.listen('denoise', on_update)
  if not vim.api.nvim_get_mode().mode:find('^i') then
    ask(client, source, window)
  end
end

return M
