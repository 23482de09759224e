//! Another configuration or plugin while traffic flows.

mod triggers;
mod plugin_files;
mod under_load;
mod soak;

use tollgate_tests::Setup;

/// A route that answers with `body`.
fn respond(body: &str) -> String {
    format!(
        "workers: 2\nroutes: [{{ name: all, match: {{ path: / }}, respond: {{ body: {body} }} }}]\n"
    )
}

/// A plugin use whose component is `swapped` in the plugin directory.
const SWAPPED: &str = r#"
        workers: 2
        routes:
          - name: all
            match: { path: / }
            plugins: [{ component: swapped, config: { request: [{ respond: { status: 200, body: from the plugin } }] } }]
            respond: { body: from the route }
        "#;

/// A gateway whose plugin `swapped` answers.
fn swapped() -> Setup {
    Setup::new(SWAPPED).plugin_as("probe", "swapped")
}

/// A component's bytes, with a custom section more, so that they are another component's.
pub(crate) fn changed(component: &str, mark: usize) -> Vec<u8> {
    let mut bytes = std::fs::read(tollgate_tests::artifacts::component(component)).unwrap();
    let content = format!("\u{4}mark{mark:08}");
    bytes.push(0);
    bytes.push(u8::try_from(content.len()).unwrap());
    bytes.extend(content.as_bytes());
    bytes
}
