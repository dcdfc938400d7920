-- Puts the suggestion, or a part of it, into the buffer: one undo step, the cursor behind it.
-- Knows nothing of keys, or of how a suggestion came about.

local client_of = require('infill.client')
local menu = require('infill.ghost.menu')
local request = require('infill.ghost.request')
local state = require('infill.ghost.state')

local M = {}

---@alias infill.Part "all"|"word"|"line"

-- White space, and then a word or a run of other characters.
local WORD = [=[^\_s*\%(\k\+\|[^[:keyword:][:space:]]\+\)\|^\_s\+]=]

---@type table<infill.Part, fun(rest: string): string>
local PARTS = {
  all = function(rest)
    return rest
  end,
  word = function(rest)
    return vim.fn.matchstr(rest, WORD)
  end,
  line = function(rest)
    return rest:match('^\n?[^\n]*')
  end,
}

--- End the undo step that is open: what follows is taken back on its own.
local function break_undo()
  vim.cmd('let &g:undolevels = &g:undolevels')
end

---@param text string
local function insert_at_cursor(text)
  local row, byte_col = unpack(vim.api.nvim_win_get_cursor(0))
  local lines = vim.split(text, '\n', { plain = true })
  break_undo()
  vim.api.nvim_buf_set_text(0, row - 1, byte_col, row - 1, byte_col, lines)
  local last_col = #lines == 1 and byte_col + #text or #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines - 1, last_col })
  break_undo()
end

--- Tell the server what was taken.
---@param suggestion infill.Suggestion
---@param part string
---@param is_all boolean
local function tell(suggestion, part, is_all)
  local client = client_of.of(suggestion.bufnr)
  if client == nil then
    return
  end
  local command = suggestion.command
  if is_all and command then
    command = vim.deepcopy(command)
    local arguments = command.arguments
    if arguments and type(arguments[2]) == 'number' then
      arguments[2] = arguments[2] - suggestion.num_taken_chars
    end
    client:exec_cmd(command, { bufnr = suggestion.bufnr })
  else
    local num_chars = client_of.num_chars(part)
    suggestion.num_taken_chars = suggestion.num_taken_chars + num_chars
    client:notify('infill/didPartiallyAccept', {
      uri = vim.uri_from_bufnr(suggestion.bufnr),
      acceptedLength = num_chars,
    })
  end
end

--- Whether there is something to take: judged by what stands in the buffer now, not by what was
--- last drawn.
---@return boolean
function M.can_take()
  local rest = state.rest()
  return rest ~= nil and rest ~= '' and not menu.is_in_the_way()
end

--- Take the suggestion or a part of it.
---@param part infill.Part
---@return boolean is_taken false when nothing is shown; the buffer is as it was then
function M.take(part)
  if not M.can_take() then
    return false
  end
  local suggestion, rest = state.shown, state.rest()
  ---@cast suggestion infill.Suggestion
  ---@cast rest string
  local text = PARTS[part](rest)
  local is_all = text == rest and suggestion.is_done
  if text == rest then
    request.cancel()
    state.clear()
  end
  insert_at_cursor(text)
  tell(suggestion, text, is_all and part == 'all')
  state.redraw()
  return true
end

return M
