//! The macros `#[plugin]` and `#[derive(Config)]` of `tollgate-plugin`, which documents them.
//!
//! Both work on tokens alone: neither needs a syntax tree, and a plugin builds faster without one.

mod config;

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// The methods that are hooks, with the phase that each one wants.
const HOOKS: [(&str, &str); 5] = [
    ("on_request", "REQUEST"),
    ("on_request_chunk", "REQUEST_CHUNKS"),
    ("on_response", "RESPONSE"),
    ("on_response_chunk", "RESPONSE_CHUNKS"),
    ("on_finish", "FINISH"),
];

/// Makes `impl Plugin for X` this component's plugin.
///
/// It notes which hooks the block implements, takes name, version and summary from `Cargo.toml`
/// and exports the type when it is built for WebAssembly. Without `type Config` and `new` the type
/// is its own configuration.
///
/// `#[plugin(schema = "config.schema.json")]` puts that file, by its path from the package, into
/// the manifest, where otherwise the component works the schema out by itself and is some 100 KB
/// larger for it. A test that the attribute adds holds the file to the types; `cargo test` with
/// `TOLLGATE_WRITE_SCHEMA=1` writes it.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments: Vec<TokenTree> = arguments.into_iter().collect();
    let schema = match arguments.as_slice() {
        [] => None,
        [key, _, TokenTree::Literal(path)] if is_word(key, "schema") => Some(path.to_string()),
        _ => return error("`#[plugin]` takes `schema = \"FILE\"` or nothing"),
    };
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let Some(TokenTree::Group(body)) = tokens.pop() else {
        return error("`#[plugin]` belongs on `impl Plugin for X { .. }`");
    };
    let after_for = tokens.iter().rposition(|token| is_word(token, "for"));
    let (Some(after_for), Delimiter::Brace) = (after_for, body.delimiter()) else {
        return error("`#[plugin]` belongs on `impl Plugin for X { .. }`");
    };
    let plugin: TokenStream = tokens[after_for + 1..].iter().cloned().collect();

    let mut members = provided(&body, schema.as_deref());
    members.extend(body.stream());
    let mut whole = Group::new(Delimiter::Brace, members);
    whole.set_span(body.span());
    tokens.push(whole.into());

    let mut output: TokenStream = tokens.into_iter().collect();
    output.extend(parse(&format!("::tollgate_plugin::__export! {{ {plugin} }}")));
    if let Some(path) = schema {
        output.extend(parse(&format!(
            "#[cfg(test)]
            #[test]
            fn the_schema_file_fits_the_configuration() {{
                ::tollgate_plugin::testing::check_schema_file::<{plugin}>(
                    ::core::concat!(::core::env!(\"CARGO_MANIFEST_DIR\"), \"/\", {path}),
                );
            }}"
        )));
    }
    output
}

/// What the author left out of the `impl` block.
fn provided(body: &Group, schema: Option<&str>) -> TokenStream {
    let (functions, types) = names(body);
    let phases = HOOKS
        .iter()
        .filter(|(hook, _)| functions.iter().any(|function| function == hook))
        .map(|(_, phase)| format!(".and(::tollgate_plugin::Phases::{phase})"))
        .collect::<String>();
    let mut code = format!(
        "const HOOKS: ::tollgate_plugin::Phases = ::tollgate_plugin::Phases::NONE{phases};
        const ABOUT: ::tollgate_plugin::About = ::tollgate_plugin::About {{
            name: ::core::env!(\"CARGO_PKG_NAME\"),
            version: ::core::env!(\"CARGO_PKG_VERSION\"),
            summary: ::core::env!(\"CARGO_PKG_DESCRIPTION\"),
        }};"
    );
    if let Some(path) = schema {
        // Only the component needs it: the test that writes the file has to build without it.
        code.push_str(&format!(
            "#[cfg(target_family = \"wasm\")]
            fn schema() -> ::std::string::String {{
                ::core::include_str!(
                    ::core::concat!(::core::env!(\"CARGO_MANIFEST_DIR\"), \"/\", {path})
                ).to_owned()
            }}"
        ));
    }
    if !types.iter().any(|name| name == "Config") && !functions.iter().any(|name| name == "new") {
        code.push_str(
            "type Config = Self;
            fn new(config: Self) -> ::core::result::Result<Self, ::tollgate_plugin::Error> {
                ::core::result::Result::Ok(config)
            }",
        );
    }
    parse(&code)
}

/// The functions and the types that an `impl` block defines itself; what stands inside their bodies
/// is in groups of its own and does not count.
fn names(body: &Group) -> (Vec<String>, Vec<String>) {
    let (mut functions, mut types) = (Vec::new(), Vec::new());
    let mut tokens = body.stream().into_iter().peekable();
    while let Some(token) = tokens.next() {
        let found = match () {
            () if is_word(&token, "fn") => &mut functions,
            () if is_word(&token, "type") => &mut types,
            () => continue,
        };
        if let Some(TokenTree::Ident(name)) = tokens.peek() {
            found.push(name.to_string());
        }
    }
    (functions, types)
}

/// Reads a type from the plugin's configuration, and describes it by a JSON Schema.
///
/// For the struct or enum of the configuration and those inside it. It gives serde's `Deserialize` and
/// schemars' `JsonSchema`, and refuses unknown keys. Doc comments become the descriptions of the schema; the
/// attributes of both crates work as usual, such as `#[serde(default)]`.
#[proc_macro_derive(Config, attributes(serde, schemars))]
pub fn config(item: TokenStream) -> TokenStream {
    config::derive(item)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

fn parse(code: &str) -> TokenStream {
    code.parse().expect("the macro writes tokens")
}

fn error(message: &str) -> TokenStream {
    parse(&format!("::core::compile_error!({message:?});"))
}
