//! `tollgate plugin test`.

use std::path::PathBuf;

use super::{CacheArgument, Outcome, piped_file, print};
use crate::{
    cases::{self, Options},
    printable::one_line,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component
    #[arg(required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// The cases, in YAML
    #[arg(required_unless_present = "schema")]
    cases: Option<PathBuf>,
    /// Only cases whose name has this in it
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Write the result as JUnit XML too
    #[arg(long, value_name = "OUT.xml")]
    junit: Option<PathBuf>,
    /// Print the JSON Schema of the cases, for editors, and test nothing
    #[arg(long, conflicts_with_all = ["file", "cases"])]
    schema: bool,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let (Some(component), Some(cases)) = (self.file, self.cases) else {
            return print(&format!("{:#}\n", cases::schema()));
        };
        piped_file::check_file(&component)?;
        let suite = cases.display().to_string();
        let options = Options { component, cases, filter: self.filter, cache: self.cache.folder() };
        let outcomes = cases::test(&options, tell)?;
        if let Some(path) = &self.junit {
            std::fs::write(path, cases::junit(&suite, &outcomes))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
        let passed = outcomes.len() - failed;
        if outcomes.is_empty() {
            return Err("no case has such a name".to_owned());
        }
        print(&format!("{passed} passed, {failed} failed\n"))?;
        // What is to be said has been said.
        if failed > 0 { Err(String::new()) } else { Ok(()) }
    }
}

/// One line for a case that passed; for one that did not, the differences and the log.
fn tell(outcome: &cases::Outcome) {
    let mut text = String::new();
    if outcome.passed() {
        text.push_str(&format!("ok    {}\n", outcome.name));
    } else {
        text.push_str(&format!("FAIL  {} ({})\n", outcome.name, outcome.place));
        for line in outcome.differences.iter().flat_map(|difference| difference.lines()) {
            text.push_str(&format!("      {}\n", one_line(line)));
        }
        if !outcome.logs.is_empty() {
            text.push_str("      logged\n");
            for line in &outcome.logs {
                text.push_str(&format!("          {}\n", one_line(line)));
            }
        }
    }
    // A closed standard output does not stop a test.
    let _ = print(&text);
}
