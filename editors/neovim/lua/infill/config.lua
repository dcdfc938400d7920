-- The plugin's options: their types, their defaults, and what is said of wrong ones.
-- Knows nothing of what an option does. The server's own settings pass through unread; the server
-- says what is wrong with them.

local M = {}

---@class infill.Config
---@field autostart boolean call `vim.lsp.enable('infill')` in `setup`
---@field cmd? string[] how the server is started; nil leaves `{ 'infill-ls' }`
---@field settings table<string, any> the server's settings, see docs/settings.md
---@field workspace_trusted boolean let a project's `.infill.toml` set everything
---@field max_file_bytes integer largest file that the server is told of
---@field ghost infill.GhostConfig
---@field keys infill.Keys|false keys of insert mode; false maps none
---@field rewrite infill.RewriteConfig

---@class infill.GhostConfig
---@field enabled boolean the plugin's own ghost text; false leaves it to Neovim 0.12's
---@field auto boolean ask while typing; false asks by hand only
---@field hide_with_menu boolean show nothing while a completion menu is open
---@field menu_is_open? fun(): boolean whether a menu is open that the plugin does not know
---@field disabled_filetypes string[] filetypes in which nothing is asked while typing

---@class infill.Keys
---@field accept string|false take all of the suggestion
---@field accept_word string|false take its next word
---@field accept_line string|false take its next line
---@field next string|false show another suggestion for this place
---@field dismiss string|false hide it
---@field trigger string|false ask by hand

---@class infill.RewriteConfig
---@field keys infill.RewriteKeys|false keys of normal mode while a rewrite is shown

---@class infill.RewriteKeys
---@field accept string|false replace the lines
---@field discard string|false leave them as they are
---@field retry string|false ask again with another seed

---@type infill.Keys
M.default_keys = {
  accept = '<Tab>',
  accept_word = '<M-w>',
  accept_line = '<M-l>',
  next = '<M-]>',
  dismiss = '<C-]>',
  trigger = '<M-\\>',
}

---@type infill.RewriteKeys
local default_rewrite_keys = { accept = '<CR>', discard = '<Esc>', retry = 'R' }

---@type infill.Config
M.defaults = {
  autostart = true,
  cmd = nil,
  settings = {},
  workspace_trusted = false,
  max_file_bytes = 8000000,
  ghost = {
    enabled = true,
    auto = true,
    hide_with_menu = true,
    menu_is_open = nil,
    disabled_filetypes = {},
  },
  keys = false,
  rewrite = { keys = default_rewrite_keys },
}

---@class infill.OptionRule
---@field allowed string in words
---@field is_allowed fun(value: any): boolean

---@param value any
---@return boolean
local function is_list_of_strings(value)
  return vim.islist(value)
    and vim.iter(value):all(function(item)
      return type(item) == 'string'
    end)
end

---@param name string
---@return infill.OptionRule
local function of_type(name, allowed)
  return {
    allowed = allowed,
    is_allowed = function(value)
      return type(value) == name
    end,
  }
end

local BOOLEAN = of_type('boolean', 'true or false')
local KEY = {
  allowed = 'a key such as "<Tab>", or false for none',
  is_allowed = function(value)
    return value == false or (type(value) == 'string' and value ~= '')
  end,
}

---@type table<string, infill.OptionRule|table<string, any>>
local RULES = {
  autostart = BOOLEAN,
  cmd = {
    allowed = 'a list of strings, such as { "infill-ls" }',
    is_allowed = function(value)
      return is_list_of_strings(value) and #value > 0
    end,
  },
  settings = of_type('table', 'a table of the settings in docs/settings.md'),
  workspace_trusted = BOOLEAN,
  max_file_bytes = {
    allowed = 'a whole number above 0',
    is_allowed = function(value)
      return type(value) == 'number' and value > 0 and value % 1 == 0
    end,
  },
  ghost = {
    enabled = BOOLEAN,
    auto = BOOLEAN,
    hide_with_menu = BOOLEAN,
    menu_is_open = of_type('function', 'a function that returns true or false'),
    disabled_filetypes = {
      allowed = 'a list of filetypes, such as { "markdown" }',
      is_allowed = is_list_of_strings,
    },
  },
  keys = vim.tbl_map(function()
    return KEY
  end, M.default_keys),
  rewrite = {
    keys = vim.tbl_map(function()
      return KEY
    end, default_rewrite_keys),
  },
}

-- Tables of keys that may also be true (as by default) or false (none).
local SWITCHABLE = { keys = M.default_keys, ['rewrite.keys'] = default_rewrite_keys }

---@param given table
---@param rules table
---@param defaults table
---@param place string the option's name up to here, with a dot at its end
---@param problems string[]
---@return table
local function read_table(given, rules, defaults, place, problems)
  local read = vim.deepcopy(defaults)
  for name, value in vim.spairs(given) do
    local full = place .. tostring(name)
    local rule = rules[name]
    local switchable = SWITCHABLE[full]
    if rule == nil then
      local known = vim.tbl_keys(rules)
      table.sort(known)
      table.insert(
        problems,
        ("unknown option '%s'; known are %s"):format(
          full,
          place .. table.concat(known, ', ' .. place)
        )
      )
    elseif rule.is_allowed then
      if rule.is_allowed(value) then
        read[name] = value
      else
        table.insert(
          problems,
          ("option '%s' is %s; allowed is %s. Its default is used."):format(
            full,
            vim.inspect(value, { newline = '', indent = '' }),
            rule.allowed
          )
        )
      end
    elseif switchable and type(value) == 'boolean' then
      read[name] = value and vim.deepcopy(switchable) or false
    elseif type(value) == 'table' then
      local below = switchable or defaults[name]
      read[name] = read_table(value, rule, below, full .. '.', problems)
    else
      table.insert(
        problems,
        ("option '%s' is %s; allowed is a table%s. Its default is used."):format(
          full,
          vim.inspect(value),
          switchable and ', true or false' or ''
        )
      )
    end
  end
  return read
end

--- Read what a user gives to `setup`; what is wrong falls back to its default.
---@param given any
---@return infill.Config config
---@return string[] problems a sentence each
function M.read(given)
  local problems = {}
  if given ~= nil and type(given) ~= 'table' then
    table.insert(problems, ('setup takes a table of options, not a %s'):format(type(given)))
    given = nil
  end
  local config = read_table(given or {}, RULES, M.defaults, '', problems)
  ---@cast config infill.Config
  return config, problems
end

--- The options in force: those of `setup`, or the defaults.
---@type infill.Config
M.current = vim.deepcopy(M.defaults)

--- Whether the user called `setup`.
M.is_set_up = false

return M
