-- Draws a rewrite in place: the old lines marked, the new ones below them as they converge.
-- Knows nothing of where they come from, or of what the user decides.

local M = {}

M.namespace = vim.api.nvim_create_namespace('infill.rewrite')

--- Mark the old lines. The mark moves along with edits elsewhere in the buffer.
---@param bufnr integer
---@param first_row integer from 0
---@param last_row integer from 0, included
---@return integer mark_id for `show` and `place`
function M.mark_old(bufnr, first_row, last_row)
  local last = vim.api.nvim_buf_get_lines(bufnr, last_row, last_row + 1, true)[1]
  return vim.api.nvim_buf_set_extmark(bufnr, M.namespace, first_row, 0, {
    end_row = last_row,
    end_col = #last,
    hl_group = 'InfillOld',
    hl_eol = true,
    end_right_gravity = true,
    undo_restore = false,
  })
end

--- Where the old lines are now; nil if they are gone.
---@param bufnr integer
---@param mark_id integer
---@return integer? first_row
---@return integer? last_row included
function M.place(bufnr, mark_id)
  local mark = vim.api.nvim_buf_get_extmark_by_id(bufnr, M.namespace, mark_id, { details = true })
  if mark[1] == nil then
    return nil, nil
  end
  return mark[1], mark[3].end_row
end

--- Split a text into virtual lines, the settled beginning in another colour than the rest.
---@param text string
---@param settled_bytes integer
---@param tabstop integer
---@return [string, string][][]
local function virtual_lines(text, settled_bytes, tabstop)
  local lines, begin = {}, 0
  for _, line in ipairs(vim.split(text, '\n', { plain = true })) do
    local num_settled = math.max(0, math.min(#line, settled_bytes - begin))
    local tab = (' '):rep(tabstop)
    table.insert(lines, {
      { (line:sub(1, num_settled):gsub('\t', tab)), 'InfillNew' },
      { (line:sub(num_settled + 1):gsub('\t', tab)), 'InfillNewDraft' },
    })
    begin = begin + #line + 1
  end
  return lines
end

--- Draw the new lines below the old ones, and a hint below both.
---@param bufnr integer
---@param mark_id integer
---@param text string
---@param settled_bytes integer how much of `text` stays as it is
---@param hint string
function M.show(bufnr, mark_id, text, settled_bytes, hint)
  local _, last_row = M.place(bufnr, mark_id)
  if last_row == nil then
    return
  end
  local lines = text == '' and {} or virtual_lines(text, settled_bytes, vim.bo[bufnr].tabstop)
  table.insert(lines, { { hint, 'InfillHint' } })
  -- One more than any id that `mark_old` gives out in a cleared namespace with one mark.
  vim.api.nvim_buf_set_extmark(bufnr, M.namespace, last_row, 0, {
    id = mark_id + 1,
    virt_lines = lines,
    undo_restore = false,
  })
end

---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, M.namespace, 0, -1)
  end
end

return M
