-- One suggestion, and what of it is still to come given what stands in the buffer by now.
-- Knows nothing of requests, of drawing or of keys.

local M = {}

---@class infill.Suggestion
---@field bufnr integer
---@field row integer line of the gap, from 0
---@field byte_col integer where in that line the gap begins, from 0
---@field before string the line's text before the gap
---@field after string the line's text after it
---@field text string what may be shown of the middle, from the gap's beginning; lines end in LF
---@field num_typed_bytes integer how much of `text` stood in the buffer when last looked
---@field num_taken_chars integer how much of it was taken by word or by line
---@field is_done boolean whether `text` is whole
---@field is_invoked boolean whether the user asked for it
---@field is_told boolean whether the server knows that it was shown
---@field command? lsp.Command to run once it has been taken

--- An empty suggestion for the gap at the cursor.
---@param is_invoked boolean
---@return infill.Suggestion
function M.at_cursor(is_invoked)
  local row, byte_col = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  return {
    bufnr = vim.api.nvim_get_current_buf(),
    row = row - 1,
    byte_col = byte_col,
    before = line:sub(1, byte_col),
    after = line:sub(byte_col + 1),
    text = '',
    num_typed_bytes = 0,
    num_taken_chars = 0,
    is_done = false,
    is_invoked = is_invoked,
    is_told = false,
  }
end

--- What stands between the gap's beginning and the cursor; nil if the gap is no longer there.
---@param suggestion infill.Suggestion
---@return string?
local function typed_since(suggestion)
  if vim.api.nvim_get_current_buf() ~= suggestion.bufnr then
    return nil
  end
  local row, byte_col = unpack(vim.api.nvim_win_get_cursor(0))
  row = row - 1
  local line = vim.api.nvim_get_current_line()
  local is_before = row < suggestion.row
    or (row == suggestion.row and byte_col < suggestion.byte_col)
  if is_before or line:sub(byte_col + 1) ~= suggestion.after then
    return nil
  end
  local first =
    vim.api.nvim_buf_get_lines(suggestion.bufnr, suggestion.row, suggestion.row + 1, true)[1]
  if first:sub(1, suggestion.byte_col) ~= suggestion.before then
    return nil
  end
  local lines = vim.api.nvim_buf_get_text(
    suggestion.bufnr,
    suggestion.row,
    suggestion.byte_col,
    row,
    byte_col,
    {}
  )
  return table.concat(lines, '\n')
end

--- What of a suggestion comes after the cursor: "" when all that is known was typed, nil when the
--- buffer says something else by now or the user took something back.
---@param suggestion infill.Suggestion
---@return string?
function M.rest(suggestion)
  local typed = typed_since(suggestion)
  if typed == nil or #typed < suggestion.num_typed_bytes then
    return nil
  end
  if not vim.startswith(suggestion.text, typed) then
    return nil
  end
  suggestion.num_typed_bytes = #typed
  return suggestion.text:sub(#typed + 1)
end

--- Whether two suggestions are for the same gap.
---@param one infill.Suggestion
---@param other infill.Suggestion
---@return boolean
function M.is_same_place(one, other)
  return one.bufnr == other.bufnr
    and one.row == other.row
    and one.before == other.before
    and one.after == other.after
end

return M
