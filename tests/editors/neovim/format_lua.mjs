// Formats Lua by StyLua as this project wants it, and says which files that changes.
// usage: node format_lua.mjs STYLUA_FOLDER [--write] FILE...
// The same choices stand in editors/neovim/stylua.toml, for editors.

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const [folder, ...given] = process.argv.slice(2)
const { Config, IndentType, OutputVerification, QuoteStyle, formatCode } = createRequire(
  `${folder}/`,
)('@johnnymorganz/stylua')
const isWriting = given[0] === '--write'

let numChanged = 0
for (const file of isWriting ? given.slice(1) : given) {
  const config = Config.new()
  config.column_width = 100
  config.indent_type = IndentType.Spaces
  config.indent_width = 2
  config.quote_style = QuoteStyle.AutoPreferSingle
  const before = readFileSync(file, 'utf8')
  const after = formatCode(before, config, undefined, OutputVerification.None)
  if (after !== before) {
    numChanged += 1
    console.log(file)
    if (isWriting) writeFileSync(file, after)
  }
}
process.exitCode = numChanged > 0 && !isWriting ? 1 : 0
