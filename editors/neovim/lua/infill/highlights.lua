-- The plugin's highlight groups: links, which a colour scheme or the user may set otherwise.
-- Knows nothing of what is drawn with them.

local M = {}

local LINKS = {
  InfillGhost = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'NonText',
  InfillOld = 'DiffDelete',
  InfillNew = 'DiffAdd',
  InfillNewDraft = 'DiffText',
  InfillHint = 'Comment',
  -- From "as good as random" to "as good as certain".
  InfillConfidence1 = 'DiagnosticError',
  InfillConfidence2 = 'DiagnosticWarn',
  InfillConfidence3 = 'DiagnosticInfo',
  InfillConfidence4 = 'DiagnosticHint',
  InfillConfidence5 = 'DiagnosticOk',
  InfillSettled = 'Normal',
}

local is_watching = false

--- Define the groups, now and after every change of the colour scheme.
function M.define()
  for group, target in pairs(LINKS) do
    vim.api.nvim_set_hl(0, group, { default = true, link = target })
  end
  if not is_watching then
    is_watching = true
    vim.api.nvim_create_autocmd('ColorScheme', {
      group = vim.api.nvim_create_augroup('infill.highlights', {}),
      callback = M.define,
    })
  end
end

return M
