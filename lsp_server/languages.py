"""What the nodes of each grammar mean: the one table of per-language knowledge.

Knows nothing of documents or of who asks; names are those of grammars.py.
"""

import re
from dataclasses import dataclass

from lsp_server.grammars import grammar_name

GAP = "infill_gap"
"""Stands for the missing code while parsing: an identifier is valid where code can be missing."""

_BRACE = re.compile(r"\{\s*\Z")
_NEVER = re.compile(r"(?!)")


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


@dataclass(frozen=True, slots=True)
class LanguageSyntax:
    """Node types by what they are for.

    Attributes:
        family: languages of one family can use each other's definitions.
        bodies: blocks that may be filled whole.
        opens_body: matches the line before a body that is not closed yet.
        statement_gap: what stands for missing code where a statement is due; begins with an
            identifier.
        comments: comments.
        strings: strings. Empty where strings are the content, as in JSON.
        interpolations: code within a string.
        containers: definitions with members: classes, modules, interfaces.
        functions: definitions with code.
        values: definitions without code: constants, fields, type aliases.
        wrappers: stand around a definition and belong to it: decorators, `export`.
        imports: what brings names from other files.
        is_indented: whether indentation, and no closing mark, ends a body.
        has_docstrings: whether a body's first string documents it; else comments above do.
        quotes: what begins a string, for half-typed code.
        line_comment: what begins a comment to the line's end, for half-typed code; "" for none.
    """

    family: str
    bodies: frozenset[str] = frozenset()
    opens_body: re.Pattern[str] = _NEVER
    statement_gap: str = GAP
    comments: frozenset[str] = frozenset({"comment"})
    strings: frozenset[str] = frozenset()
    interpolations: frozenset[str] = frozenset()
    containers: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    is_indented: bool = False
    has_docstrings: bool = False
    quotes: str = "\"'`"
    line_comment: str = ""

    @property
    def definitions(self) -> frozenset[str]:
        """All that gives a name to something."""
        return self.containers | self.functions | self.values


def syntax_of(language_id: str) -> LanguageSyntax | None:
    """Return the table of an LSP language identifier; None when it has no grammar."""
    name = grammar_name(language_id)
    return _SYNTAX[name] if name else None


_JAVASCRIPT = LanguageSyntax(
    family="javascript",
    bodies=_types("statement_block class_body"),
    opens_body=_BRACE,
    strings=_types("string template_string regex"),
    interpolations=_types("template_substitution"),
    containers=_types("class_declaration class"),
    functions=_types("function_declaration generator_function_declaration method_definition"),
    values=_types("variable_declarator field_definition"),
    wrappers=_types("export_statement lexical_declaration variable_declaration"),
    imports=_types("import_statement"),
    line_comment="//",
)
_TYPESCRIPT = LanguageSyntax(
    family="javascript",
    bodies=_JAVASCRIPT.bodies | _types("interface_body enum_body"),
    opens_body=_BRACE,
    strings=_JAVASCRIPT.strings,
    interpolations=_JAVASCRIPT.interpolations,
    containers=_JAVASCRIPT.containers
    | _types("abstract_class_declaration interface_declaration internal_module enum_declaration"),
    functions=_JAVASCRIPT.functions
    | _types("function_signature method_signature abstract_method_signature"),
    values=_types(
        "variable_declarator public_field_definition property_signature type_alias_declaration"
    ),
    wrappers=_JAVASCRIPT.wrappers | _types("expression_statement ambient_declaration"),
    imports=_JAVASCRIPT.imports,
    line_comment="//",
)
_C = LanguageSyntax(
    family="c",
    bodies=_types("compound_statement field_declaration_list enumerator_list"),
    opens_body=_BRACE,
    statement_gap=f"{GAP}();",
    strings=_types("string_literal char_literal system_lib_string"),
    containers=_types("struct_specifier union_specifier enum_specifier"),
    functions=_types("function_definition"),
    values=_types("declaration field_declaration type_definition preproc_def preproc_function_def"),
    wrappers=_types("preproc_ifdef preproc_if preproc_else"),
    imports=_types("preproc_include"),
    line_comment="//",
)
_CPP = LanguageSyntax(
    family="c",
    bodies=_C.bodies | _types("declaration_list"),
    opens_body=_BRACE,
    statement_gap=f"{GAP}();",
    strings=_C.strings | _types("raw_string_literal"),
    containers=_C.containers | _types("class_specifier namespace_definition"),
    functions=_C.functions,
    values=_C.values | _types("alias_declaration concept_definition"),
    wrappers=_C.wrappers | _types("template_declaration linkage_specification"),
    imports=_C.imports | _types("using_declaration"),
    line_comment="//",
)

_SYNTAX: dict[str, LanguageSyntax] = {
    "bash": LanguageSyntax(
        family="bash",
        bodies=_types("compound_statement do_group"),
        opens_body=re.compile(r"\{\s*\Z|\bdo\s*\Z"),
        strings=_types("string raw_string ansi_c_string heredoc_body"),
        interpolations=_types("command_substitution expansion simple_expansion"),
        functions=_types("function_definition"),
        values=_types("variable_assignment"),
        line_comment="#",
    ),
    "c": _C,
    "cpp": _CPP,
    "csharp": LanguageSyntax(
        family="csharp",
        bodies=_types("block declaration_list enum_member_declaration_list"),
        opens_body=_BRACE,
        statement_gap=f"{GAP}();",
        strings=_types(
            "string_literal verbatim_string_literal raw_string_literal character_literal "
            "interpolated_string_expression"
        ),
        interpolations=_types("interpolation"),
        containers=_types(
            "class_declaration interface_declaration struct_declaration record_declaration "
            "enum_declaration namespace_declaration"
        ),
        functions=_types("method_declaration constructor_declaration local_function_statement"),
        values=_types(
            "property_declaration field_declaration delegate_declaration enum_member_declaration"
        ),
        imports=_types("using_directive"),
        line_comment="//",
    ),
    "css": LanguageSyntax(
        family="css",
        bodies=_types("block"),
        opens_body=_BRACE,
        comments=_types("comment js_comment"),
        strings=_types("string_value"),
        containers=_types("media_statement supports_statement"),
        functions=_types("rule_set keyframes_statement"),
        imports=_types("import_statement"),
    ),
    "go": LanguageSyntax(
        family="go",
        bodies=_types("block"),
        opens_body=_BRACE,
        strings=_types("interpreted_string_literal raw_string_literal rune_literal"),
        containers=_types("type_spec"),
        functions=_types("function_declaration method_declaration"),
        values=_types("const_spec var_spec type_alias"),
        wrappers=_types("type_declaration const_declaration var_declaration"),
        imports=_types("import_declaration"),
        line_comment="//",
    ),
    "html": LanguageSyntax(family="html"),
    "java": LanguageSyntax(
        family="java",
        bodies=_types("block constructor_body class_body interface_body enum_body"),
        opens_body=_BRACE,
        statement_gap=f"{GAP}();",
        comments=_types("line_comment block_comment"),
        strings=_types("string_literal character_literal"),
        interpolations=_types("string_interpolation"),
        containers=_types(
            "class_declaration interface_declaration enum_declaration record_declaration "
            "annotation_type_declaration"
        ),
        functions=_types("method_declaration constructor_declaration"),
        values=_types("field_declaration enum_constant"),
        imports=_types("import_declaration"),
        line_comment="//",
    ),
    "javascript": _JAVASCRIPT,
    "json": LanguageSyntax(family="json"),
    "lua": LanguageSyntax(
        family="lua",
        bodies=_types("block"),
        opens_body=re.compile(r"\b(?:do|then|else|repeat)\s*\Z|\bfunction\b[^()]*\([^()]*\)\s*\Z"),
        statement_gap=f"{GAP}()",
        strings=_types("string"),
        functions=_types("function_declaration"),
        values=_types("assignment_statement"),
        wrappers=_types("variable_declaration"),
        line_comment="--",
    ),
    "markdown": LanguageSyntax(
        family="markdown", comments=_types("html_block"), containers=_types("section")
    ),
    "php": LanguageSyntax(
        family="php",
        bodies=_types("compound_statement declaration_list enum_declaration_list"),
        opens_body=_BRACE,
        statement_gap=f"{GAP}();",
        strings=_types("string encapsed_string heredoc nowdoc"),
        interpolations=_types("member_access_expression subscript_expression"),
        containers=_types(
            "class_declaration interface_declaration trait_declaration enum_declaration"
        ),
        functions=_types("function_definition method_declaration"),
        values=_types("property_declaration const_declaration enum_case"),
        imports=_types("namespace_use_declaration"),
        line_comment="//",
    ),
    "python": LanguageSyntax(
        family="python",
        bodies=_types("block"),
        opens_body=re.compile(r":\s*\Z"),
        strings=_types("string"),
        interpolations=_types("interpolation"),
        containers=_types("class_definition"),
        functions=_types("function_definition"),
        values=_types("assignment type_alias_statement"),
        wrappers=_types("decorated_definition expression_statement"),
        imports=_types("import_statement import_from_statement future_import_statement"),
        is_indented=True,
        has_docstrings=True,
        line_comment="#",
    ),
    "ruby": LanguageSyntax(
        family="ruby",
        bodies=_types("body_statement then do block_body"),
        opens_body=re.compile(
            r"\A\s*(?:def|class|module|if|unless|while|until|begin|for)\b"
            r"|\bdo(?:\s*\|[^|]*\|)?\s*\Z"
        ),
        strings=_types("string regex heredoc_body subshell string_array symbol_array"),
        interpolations=_types("interpolation"),
        containers=_types("class module singleton_class"),
        functions=_types("method singleton_method"),
        values=_types("assignment"),
        line_comment="#",
    ),
    "rust": LanguageSyntax(
        family="rust",
        bodies=_types("block declaration_list field_declaration_list enum_variant_list"),
        opens_body=_BRACE,
        comments=_types("line_comment block_comment"),
        strings=_types("string_literal raw_string_literal char_literal"),
        containers=_types("struct_item enum_item trait_item impl_item mod_item union_item"),
        functions=_types("function_item function_signature_item macro_definition"),
        values=_types("const_item static_item type_item"),
        imports=_types("use_declaration"),
        quotes='"',  # a single one begins a lifetime, too
        line_comment="//",
    ),
    "sql": LanguageSyntax(
        family="sql",
        comments=_types("comment marginalia"),
        strings=_types("literal"),
        containers=_types("create_table create_view create_materialized_view create_type"),
        functions=_types("create_function create_procedure"),
        wrappers=_types("statement"),
        line_comment="--",
    ),
    "toml": LanguageSyntax(family="toml", containers=_types("table table_array_element")),
    "tsx": _TYPESCRIPT,
    "typescript": _TYPESCRIPT,
    "yaml": LanguageSyntax(family="yaml"),
}
