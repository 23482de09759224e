//! The result as JUnit XML, which continuous integration reads.

use std::{fmt::Write as _, time::Duration};

use super::Outcome;

/// One suite, called like the file of cases.
pub(crate) fn junit(suite: &str, outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let took: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    let suite = escaped(suite);
    let counts = format!("tests=\"{}\" failures=\"{failed}\"", outcomes.len());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  \
         <testsuite name=\"{suite}\" {counts} errors=\"0\" skipped=\"0\" time=\"{:.6}\">\n",
        took.as_secs_f64()
    );
    for outcome in outcomes {
        case(&mut xml, &suite, outcome);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(xml: &mut String, suite: &str, outcome: &Outcome) {
    let name = escaped(&outcome.name);
    let time = outcome.took.as_secs_f64();
    // Writing to a string does not fail.
    let _ = write!(xml, "    <testcase classname=\"{suite}\" name=\"{name}\" time=\"{time:.6}\"");
    if outcome.passed() {
        xml.push_str("/>\n");
        return;
    }
    let place = escaped(&outcome.place);
    let text = escaped(&outcome.differences.join("\n"));
    let _ = writeln!(xml, ">\n      <failure message=\"{place}\">{text}</failure>");
    if !outcome.logs.is_empty() {
        let logs = escaped(&outcome.logs.join("\n"));
        let _ = writeln!(xml, "      <system-out>{logs}</system-out>");
    }
    xml.push_str("    </testcase>\n");
}

/// Text as XML has it. Control characters cannot stand in XML at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            character if character.is_control() => escaped.push('\u{FFFD}'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, differences: &[&str]) -> Outcome {
        Outcome {
            name: name.to_owned(),
            place: "cases.yaml:3:5".to_owned(),
            took: Duration::from_millis(2),
            differences: differences.iter().map(|line| (*line).to_owned()).collect(),
            logs: Vec::new(),
        }
    }

    #[test]
    fn the_xml_has_every_case_and_what_failed() {
        let outcomes =
            [outcome("a \"good\" one", &[]), outcome("b", &["verdict", "  - <next>\u{1}"])];
        let xml = junit("cases.yaml", &outcomes);
        for part in [
            "<testsuites tests=\"2\" failures=\"1\">",
            "name=\"a &quot;good&quot; one\" time=\"0.002000\"/>",
            "<failure message=\"cases.yaml:3:5\">verdict\n  - &lt;next&gt;\u{FFFD}</failure>",
        ] {
            assert!(xml.contains(part), "{part} is missing:\n{xml}");
        }
    }
}
