-- How Neovim (0.11 or newer) starts infill-ls, for `vim.lsp.enable('infill')`.
-- Works as this one file too: with the rest of the plugin on the runtimepath that decides how a
-- suggestion is shown, without it Neovim's own ghost text does (0.12 or newer). Nothing here knows
-- how a suggestion is made.

local ROOT_MARKERS = { '.git', '.hg', 'pyproject.toml', 'package.json', 'go.mod', 'Cargo.toml' }
local MAX_FILE_BYTES = 8000000

---@type vim.lsp.Config
return {
  cmd = { 'infill-ls' },
  -- No `filetypes`: the server helps in every file, and says itself where it does not.
  root_dir = function(bufnr, on_dir)
    local own = package.loaded['infill.config']
    local max_bytes = own and own.current.max_file_bytes or MAX_FILE_BYTES
    -- Without a name there is no address to tell the server; a huge file costs too much to sync.
    if vim.api.nvim_buf_get_name(bufnr) == '' then
      return
    end
    if vim.api.nvim_buf_get_offset(bufnr, vim.api.nvim_buf_line_count(bufnr)) <= max_bytes then
      on_dir(vim.fs.root(bufnr, ROOT_MARKERS))
    end
  end,
  handlers = {
    -- How the engine is, kept for a statusline: `vim.g.infill_status`, { state =, message = }.
    ['infill/status'] = function(_, status)
      local has_plugin, own = pcall(require, 'infill.status')
      if has_plugin then
        own.note(status)
      else
        vim.g.infill_status = status
      end
    end,
    ['infill/update'] = function(_, update)
      local own = package.loaded['infill.updates']
      if own then
        own.note(update)
      end
    end,
    ['infill/rewritePreview'] = function(_, preview)
      local own = package.loaded['infill.rewrite.run']
      if own then
        own.note_preview(preview)
      end
    end,
  },
  on_attach = function(_, bufnr)
    if vim.lsp.inline_completion and not vim.g.loaded_infill then
      vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
    end
  end,
  on_exit = function(code, signal)
    local own = package.loaded['infill.restart']
    if own then
      own.note_exit(code, signal)
    end
  end,
}
