-- How Neovim (0.11 or newer) starts infill-ls, for `vim.lsp.enable('infill')`.
-- The ghost text is Neovim's own (0.12 or newer); nothing here knows how a suggestion is made.

---@type vim.lsp.Config
return {
  cmd = { 'infill-ls' },
  -- No `filetypes`: the server helps in every file, and says itself where it does not.
  root_markers = { '.git', '.hg', 'pyproject.toml', 'package.json', 'go.mod', 'Cargo.toml' },
  handlers = {
    -- How the engine is, kept for a statusline: `vim.g.infill_status`, { state =, message = }.
    ['infill/status'] = function(_, status)
      vim.g.infill_status = status
      if status.state == 'unavailable' then
        vim.notify('infill-ls: ' .. status.message, vim.log.levels.WARN)
      end
    end,
  },
  on_attach = function(_, bufnr)
    if vim.lsp.inline_completion then
      vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
    end
  end,
}
