-- Draws text that is not in the buffer at the cursor, over several lines if need be.
-- Knows nothing of where the text comes from.

local M = {}

--- The namespace of the ghost text's extmarks.
M.namespace = vim.api.nvim_create_namespace('infill.ghost')

local HIGHLIGHT = 'InfillGhost'
-- One mark, moved rather than made anew: no frame is without it.
local MARK_ID = 1

--- Put spaces in the place of tabs: Neovim does not align tabs in virtual text.
---@param text string
---@param cell integer screen column at which it begins
---@param tabstop integer
---@return string
local function without_tabs(text, cell, tabstop)
  local parts = vim.split(text, '\t', { plain = true })
  local spelled = parts[1]
  for idx = 2, #parts do
    local width = vim.fn.strdisplaywidth(spelled)
    spelled = spelled .. (' '):rep(tabstop - (cell + width) % tabstop) .. parts[idx]
  end
  return spelled
end

--- Draw `text` at a place in the current buffer, instead of what was drawn before.
---@param bufnr integer the current buffer
---@param row integer from 0
---@param byte_col integer from 0
---@param text string lines end in LF; not empty
function M.show(bufnr, row, byte_col, text)
  local tabstop = vim.bo[bufnr].tabstop
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, true)[1]
  local before, after = line:sub(1, byte_col), line:sub(byte_col + 1)
  local cell = vim.fn.strdisplaywidth(before)
  local lines = vim.split(text, '\n', { plain = true })
  local first = without_tabs(lines[1], cell, tabstop)
  local position = 'inline'
  if #lines > 1 and after ~= '' then
    -- What follows the cursor belongs after the last line: it is covered here and drawn there.
    local missing = vim.fn.strdisplaywidth(after, cell) - vim.fn.strdisplaywidth(first)
    first = first .. (' '):rep(math.max(0, missing))
    position = 'overlay'
    lines[#lines] = lines[#lines] .. after
  end
  local below = {}
  for idx = 2, #lines do
    table.insert(below, { { without_tabs(lines[idx], 0, tabstop), HIGHLIGHT } })
  end
  vim.api.nvim_buf_set_extmark(bufnr, M.namespace, row, byte_col, {
    id = MARK_ID,
    virt_text = { { first, HIGHLIGHT } },
    virt_text_pos = position,
    virt_lines = #below > 0 and below or nil,
    -- Combined, it would take on the colours of a bracket before it that matchparen highlights.
    hl_mode = 'replace',
    undo_restore = false,
  })
end

--- Draw nothing any more.
---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, M.namespace, 0, -1)
  end
end

return M
