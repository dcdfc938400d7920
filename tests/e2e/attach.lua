-- Attaches the server to a file by editors/neovim's configuration, asks for an inline completion,
-- and prints what came as one line of JSON.
-- usage: nvim -l attach.lua PLUGIN_FOLDER FILE SERVER_COMMAND_JSON INIT_OPTIONS_JSON LINE CHARACTER

local plugin_folder, file, command, init_options, line, character = unpack(_G.arg)

vim.opt.runtimepath:prepend(plugin_folder)
vim.lsp.config('infill', {
  cmd = vim.json.decode(command),
  init_options = vim.json.decode(init_options),
})
-- The file first: enabling also attaches to whatever is open, an empty buffer included.
vim.cmd.edit(file)
vim.bo.filetype = 'python'
vim.lsp.enable('infill')

local GIVE_UP_MS = 60000
local function client()
  return vim.lsp.get_clients({ bufnr = 0, name = 'infill' })[1]
end
assert(vim.wait(GIVE_UP_MS, function()
  return client() ~= nil and client().initialized
end), 'not attached')
assert(vim.wait(GIVE_UP_MS, function()
  return vim.g.infill_status ~= nil and vim.g.infill_status.state == 'ready'
end), 'the engine is not ready: ' .. vim.inspect(vim.g.infill_status))

local response = assert(client():request_sync('textDocument/inlineCompletion', {
  textDocument = { uri = vim.uri_from_bufnr(0) },
  position = { line = tonumber(line), character = tonumber(character) },
  context = { triggerKind = 1 },
}, GIVE_UP_MS))
io.stdout:write(vim.json.encode({
  encoding = client().offset_encoding,
  supports = client():supports_method('textDocument/inlineCompletion'),
  response = response,
}))
client():stop()
vim.wait(GIVE_UP_MS, function()
  return client() == nil
end)
