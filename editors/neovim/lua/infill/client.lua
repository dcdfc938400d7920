-- The language server as the rest of the plugin sees it: which client, and its own messages.
-- Knows nothing of ghost text or of windows.

local M = {}

M.NAME = 'infill'

--- The client that serves a buffer.
---@param bufnr? integer the current one if nil
---@return vim.lsp.Client?
function M.of(bufnr)
  return vim.lsp.get_clients({ bufnr = bufnr or vim.api.nvim_get_current_buf(), name = M.NAME })[1]
end

--- Any running client, the buffer's own first.
---@return vim.lsp.Client?
function M.any()
  return M.of() or vim.lsp.get_clients({ name = M.NAME })[1]
end

--- Where something is, as LSP counts.
---@param client vim.lsp.Client
---@param bufnr integer
---@param row integer from 0
---@param byte_col integer from 0
---@return lsp.Position
function M.position(client, bufnr, row, byte_col)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, true)[1]
  local character = vim.str_utfindex(line, client.offset_encoding, byte_col, false)
  return { line = row, character = character }
end

--- How many characters (code points) a text has: what the server counts in.
---@param text string
---@return integer
function M.num_chars(text)
  return vim.str_utfindex(text, 'utf-32')
end

--- Split a text that the server made: its lines end in LF, whatever the document's do.
---@param text string
---@return string
function M.with_lf(text)
  return (text:gsub('\r\n?', '\n'))
end

return M
