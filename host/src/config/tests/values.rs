//! Variables and secrets.

use super::*;

#[test]
fn secrets_do_not_show() {
    let config = check_ok("listeners: [{ address: 127.0.0.1:0 }]\nadmin: { token: hunter2 }");
    assert!(!format!("{:?}", config.admin).contains("hunter2"));
}

#[test]
fn a_second_document_is_told_at_the_line_that_begins_it() {
    let second = "this file holds more than one document; remove the line `---` and put what is left into one, or into files of their own";
    check_faults(
        "listeners: []\n# b\n--- # c\n# d\nworkers: 2\n",
        &[&format!("tollgate.yaml:3:1: {second}")],
    );
    check_faults(
        "---\nlisteners: []\n...\n---\nworkers: 2\n",
        &[&format!("tollgate.yaml:4:1: {second}")],
    );
}

#[test]
fn a_second_document_with_nothing_in_it_is_none() {
    let first = "---\nlisteners: [{ address: 127.0.0.1:0 }]\n";
    for end in ["---\n", "---", "...\n---\n# nothing\n\n", "---\n---\n"] {
        check_ok(&format!("{first}{end}"));
    }
}

/// The variables `PORT` (8080), `TOKEN` (12345), `EMPTY` and `WORD` (word).
fn lookup(name: &str) -> Result<String, String> {
    match name {
        "PORT" => Ok("8080".to_owned()),
        "TOKEN" => Ok("12345".to_owned()),
        "EMPTY" => Ok(String::new()),
        "WORD" => Ok("word".to_owned()),
        "file:/run/token" => Ok("from-file".to_owned()),
        _ => Err(format!("`{name}` is not set")),
    }
}

fn parse_with_variables(text: &str) -> Result<Config, Vec<Fault>> {
    let parsed = Document::parse_with(text, Path::new("t.yaml"), &lookup);
    let (document, found) = parsed.map_err(|fault| vec![fault])?;
    let (config, faults) = check::check(document, found);
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

#[test]
fn variables_are_replaced_and_take_the_type_that_is_wanted() {
    let text = r#"
listeners: [{ address: "127.0.0.1:${PORT}" }]
workers: ${NONE:-3}
admin: { token: "${file:/run/token}" }
limits: { max_headers: "${TOKEN}", max_uri_bytes: "${EMPTY:-4KiB}" }
plugins:
  a:
    component: ${WORD}
    config:
      bare: ${TOKEN}
      quoted: "${TOKEN}"
      escaped: $${WORD}
      plain: $WORD
"#;
    let config = parse_with_variables(text).unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert_eq!(config.listeners[0].address.port(), 8080);
    assert_eq!(config.workers.map(NonZeroUsize::get), Some(3));
    assert_eq!(config.admin.token, Some(Secret("from-file".to_owned())));
    assert_eq!(config.limits.max_headers, 12_345);
    assert_eq!(config.limits.max_uri_bytes, 4096);
    assert_eq!(config.uses[0].component, Source::File("plugins/word.wasm".into()));
    let expected =
        json!({ "bare": 12345, "quoted": "12345", "escaped": "${WORD}", "plain": "$WORD" });
    assert_eq!(config.uses[0].config, expected);

    let text = "listeners: [{ address: 127.0.0.1:0 }]\nadmin:\n  token: ${TOKEN}\n";
    let config = parse_with_variables(text).expect("a token of digits is a text");
    assert_eq!(config.admin.token, Some(Secret("12345".to_owned())));
}

#[test]
fn a_variable_that_is_not_set_is_a_fault_where_it_stands() {
    let text = "drain: ${NO}\nadmin:\n  token: \"a${WORD\"\n  address: ${a b}\nworkers: ${WORD}\n";
    let faults = parse_with_variables(text).expect_err("variables are missing");
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        faults,
        [
            "t.yaml:1:1: `listeners` is missing",
            "t.yaml:1:8: drain: `NO` is not set",
            "t.yaml:3:10: admin.token: `${` has no `}`; write `$${` for `${` itself",
            "t.yaml:4:12: admin.address: `a b` is not the name of a variable",
            "t.yaml:5:10: workers: must be a whole number",
        ]
    );
    let faults = parse_with_variables("listeners: []\nworkers: ${WORD}\n").expect_err("no number");
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        faults,
        [
            "t.yaml:1:12: listeners: must not be empty",
            "t.yaml:2:10: workers: must be a whole number"
        ]
    );
}

#[test]
fn a_file_for_a_variable_is_seen_from_the_configuration_s_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tollgate.yaml");
    std::fs::write(folder.path().join("token"), "t0ken\n").expect("written");
    std::fs::write(
        &path,
        "listeners: [{ address: 127.0.0.1:0 }]\nadmin:\n  token: ${file:token}\n",
    )
    .expect("written");
    let config = load(&path, &|_| {}).expect("a valid file");
    assert_eq!(config.admin.token, Some(Secret("t0ken".to_owned())));
}
