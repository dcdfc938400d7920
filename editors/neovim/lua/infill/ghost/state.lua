-- The suggestion that is shown, the others for its place, and the one rule of what may take its
-- place: nothing that would make text on the screen jump. Knows nothing of requests.

local client_of = require('infill.client')
local draw = require('infill.ghost.draw')
local menu = require('infill.ghost.menu')
local suggestions = require('infill.ghost.suggestion')

local M = {}

---@type infill.Suggestion?
M.shown = nil

--- Whole suggestions for one place, the newest last.
---@type infill.Suggestion[]
local alternatives = {}

--- What is still to come of the suggestion that is shown; nil if there is none.
---@return string?
function M.rest()
  return M.shown and suggestions.rest(M.shown)
end

--- Draw what is shown where the cursor is now; what the buffer contradicts is dropped.
---@return boolean is_drawn
function M.redraw()
  local shown = M.shown
  local rest = M.rest()
  if shown == nil then
    return false
  elseif rest == nil or rest == '' then
    M.clear()
    return false
  elseif menu.is_in_the_way() then
    draw.clear(shown.bufnr)
    return false
  end
  local row, byte_col = unpack(vim.api.nvim_win_get_cursor(0))
  draw.show(shown.bufnr, row - 1, byte_col, rest)
  if not shown.is_told then
    shown.is_told = true
    local client = client_of.of(shown.bufnr)
    if client then
      client:notify('infill/didShow', vim.empty_dict())
    end
  end
  return true
end

--- Show a suggestion, unless another is shown that it would not just extend. One that is whole and
--- that the user asked for may take any place.
---@param suggestion infill.Suggestion
function M.offer(suggestion)
  local rest = suggestions.rest(suggestion)
  if rest == nil or rest == '' then
    return
  end
  local current = M.shown ~= suggestion and M.rest() or ''
  local is_wanted = suggestion.is_done and suggestion.is_invoked
  if vim.startswith(rest, current) or is_wanted then
    M.shown = suggestion
    M.redraw()
  end
end

--- Remember a whole suggestion, for `next`.
---@param suggestion infill.Suggestion
function M.remember(suggestion)
  if alternatives[1] and not suggestions.is_same_place(alternatives[1], suggestion) then
    alternatives = {}
  end
  for _, known in ipairs(alternatives) do
    if known.text == suggestion.text then
      return
    end
  end
  table.insert(alternatives, suggestion)
end

--- Show the next of the suggestions for this place, the first after the last.
---@return integer num_here how many there are; 0 when nothing is shown
function M.show_next()
  if M.shown == nil or M.rest() == nil then
    return 0
  end
  local here = vim.tbl_filter(function(known)
    local rest = suggestions.rest(known)
    return rest ~= nil and rest ~= ''
  end, alternatives)
  for idx, known in ipairs(here) do
    if known == M.shown and #here > 1 then
      M.shown = here[idx % #here + 1]
      M.redraw()
      return #here
    end
  end
  return 1
end

--- Show nothing.
function M.clear()
  if M.shown then
    draw.clear(M.shown.bufnr)
    M.shown = nil
  end
end

return M
