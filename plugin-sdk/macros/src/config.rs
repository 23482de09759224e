//! `#[derive(Config)]`: `Deserialize` and `JsonSchema` by the derives of serde and schemars.
//!
//! A derive cannot put attributes on the type itself, and the author has neither crate. So the two
//! derives stand on a twin of the type, with the attributes that they need, and the type reads and
//! describes itself by its twin: serde's `remote` makes the twin give the type.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

use crate::{error, is_word, parse};

/// Attributes that mean something to the derives on the twin. Those of other derives would not.
const KEPT: [&str; 3] = ["serde", "schemars", "doc"];

pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let is_kind = |token: &TokenTree| is_word(token, "struct") || is_word(token, "enum");
    let Some(kind) = tokens.iter().position(is_kind) else {
        return error("`Config` is for structs and enums");
    };
    let (Some(TokenTree::Ident(name)), rest) = (tokens.get(kind + 1), &tokens[kind + 2..]) else {
        return error("`Config` is for structs and enums");
    };
    if matches!(rest.first(), Some(TokenTree::Punct(open)) if open.as_char() == '<') {
        return error("`Config` is for types without parameters");
    }
    let name = name.to_string();
    let mut twin = parse(&format!(
        "#[derive(::tollgate_plugin::serde::Deserialize, ::tollgate_plugin::schemars::JsonSchema)]
        #[serde(
            crate = \"::tollgate_plugin::serde\",
            remote = \"{name}\",
            rename = \"{name}\",
            deny_unknown_fields
        )]
        #[schemars(crate = \"::tollgate_plugin::schemars\")]
        #[allow(dead_code, unreachable_pub, reason = \"only the derives look at it\")]"
    ));
    twin.extend(meant(tokens[..kind].iter().filter(|token| !is_visibility(token)).cloned()));
    twin.extend(parse(&format!("{} __{name}", tokens[kind])));
    twin.extend(meant(rest.iter().cloned()));
    twin.extend(delegation(&name));
    if let Some(TokenTree::Group(fields)) = rest.first()
        && tokens[..kind].iter().any(says_default)
    {
        twin.extend(default(&name, fields));
    }
    let whole: TokenTree = Group::new(Delimiter::Brace, twin).into();
    let mut output = parse("const _: () =");
    output.extend([whole]);
    output.extend(parse(";"));
    output
}

/// The type by its twin.
fn delegation(name: &str) -> TokenStream {
    parse(&format!(
        "impl<'de> ::tollgate_plugin::serde::Deserialize<'de> for {name} {{
            fn deserialize<D>(deserializer: D) -> ::core::result::Result<Self, D::Error>
            where
                D: ::tollgate_plugin::serde::Deserializer<'de>,
            {{
                __{name}::deserialize(deserializer)
            }}
        }}

        impl ::tollgate_plugin::schemars::JsonSchema for {name} {{
            fn inline_schema() -> bool {{
                <__{name} as ::tollgate_plugin::schemars::JsonSchema>::inline_schema()
            }}
            fn schema_name() -> ::std::borrow::Cow<'static, str> {{
                <__{name} as ::tollgate_plugin::schemars::JsonSchema>::schema_name()
            }}
            fn schema_id() -> ::std::borrow::Cow<'static, str> {{
                <__{name} as ::tollgate_plugin::schemars::JsonSchema>::schema_id()
            }}
            fn json_schema(
                generator: &mut ::tollgate_plugin::schemars::SchemaGenerator,
            ) -> ::tollgate_plugin::schemars::Schema {{
                <__{name} as ::tollgate_plugin::schemars::JsonSchema>::json_schema(generator)
            }}
        }}"
    ))
}

/// Whether an attribute of the type is `#[serde(default)]`: what is not there is as in its default.
fn says_default(attribute: &TokenTree) -> bool {
    let inside = |token: &TokenTree| match token {
        TokenTree::Group(group) => Some(group.stream().into_iter().collect::<Vec<_>>()),
        _ => None,
    };
    let Some([serde, said]) = inside(attribute).and_then(|tokens| <[_; 2]>::try_from(tokens).ok())
    else {
        return false;
    };
    let said = inside(&said).unwrap_or_default();
    let mut parts =
        said.split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','));
    is_word(&serde, "serde") && parts.any(|part| matches!(part, [word] if is_word(word, "default")))
}

/// The default of the twin, which the schema takes each field's from.
fn default(name: &str, fields: &Group) -> TokenStream {
    let fields = names(fields).join(", ");
    parse(&format!(
        "impl ::core::default::Default for __{name} {{
            fn default() -> Self {{
                let {name} {{ {fields} }} = ::core::default::Default::default();
                Self {{ {fields} }}
            }}
        }}"
    ))
}

/// The names of fields. Commas between the parameters of a type do not end one.
fn names(fields: &Group) -> Vec<String> {
    let (mut names, mut depth, mut before) = (Vec::new(), 0_u32, true);
    for token in fields.stream() {
        match &token {
            TokenTree::Punct(mark) => match mark.as_char() {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => before = true,
                _ => {}
            },
            TokenTree::Ident(name) if before && !is_word(&token, "pub") => {
                names.push(name.to_string());
                before = false;
            }
            _ => {}
        }
    }
    names
}

/// Without the attributes that are not meant for the twin, at any depth. In the definition of a type a
/// `#` is the beginning of an attribute.
fn meant(tokens: impl IntoIterator<Item = TokenTree>) -> TokenStream {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let attribute = tokens.next();
                if attribute.as_ref().is_some_and(is_kept) {
                    kept.push(hash.into());
                    kept.extend(attribute);
                }
            }
            TokenTree::Group(group) => {
                let mut cleaned = Group::new(group.delimiter(), meant(group.stream()));
                cleaned.set_span(group.span());
                kept.push(cleaned.into());
            }
            other => kept.push(other),
        }
    }
    kept.into_iter().collect()
}

fn is_kept(attribute: &TokenTree) -> bool {
    let TokenTree::Group(group) = attribute else { return false };
    let first = group.stream().into_iter().next();
    first.is_some_and(|first| KEPT.iter().any(|name| is_word(&first, name)))
}

/// `pub`, and what may stand in parentheses behind it.
fn is_visibility(token: &TokenTree) -> bool {
    let scope = |group: &Group| group.delimiter() == Delimiter::Parenthesis;
    is_word(token, "pub") || matches!(token, TokenTree::Group(group) if scope(group))
}
