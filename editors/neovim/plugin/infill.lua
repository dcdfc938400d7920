-- Defines `:Infill` and looks after the buffers that the server attaches to; loads nothing else
-- until one of them is used. Knows nothing of what either does.

if vim.g.loaded_infill then
  return
end
vim.g.loaded_infill = true

vim.api.nvim_create_user_command('Infill', function(command)
  require('infill.command').run(command)
end, {
  nargs = '*',
  range = true,
  desc = 'infill-ls: suggestions, rewrites, status',
  complete = function(lead, line)
    return require('infill.command').complete(lead, line)
  end,
})

local group = vim.api.nvim_create_augroup('infill', {})
vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'infill' then
      require('infill.attach').attach(client, event.buf)
    end
  end,
})
vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  callback = function(event)
    local attach = package.loaded['infill.attach']
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if attach and client and client.name == 'infill' then
      attach.detach(event.buf)
    end
  end,
})
