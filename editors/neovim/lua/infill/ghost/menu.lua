-- Whether a completion menu is open: Neovim's own, that of nvim-cmp or of blink.cmp, or one that
-- the user's `menu_is_open` knows of. Knows nothing of suggestions.

local config = require('infill.config')

local M = {}

---@return boolean
function M.is_open()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  -- Only what is loaded is asked: nothing is loaded for the question's sake.
  local cmp, blink = package.loaded['cmp'], package.loaded['blink.cmp']
  if cmp and cmp.visible and cmp.visible() then
    return true
  end
  if blink and blink.is_visible and blink.is_visible() then
    return true
  end
  local is_open = config.current.ghost.menu_is_open
  return is_open ~= nil and is_open() == true
end

--- Whether suggestions have to hide from a menu now.
---@return boolean
function M.is_in_the_way()
  return config.current.ghost.hide_with_menu and M.is_open()
end

return M
