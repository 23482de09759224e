//! `tollgate plugin new`.

use std::path::PathBuf;

use super::{Outcome, print};
use crate::project::{self, Language};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The plugin's name: small letters, digits and `-`
    name: String,
    /// The language that it is written in
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// The folder that gets the project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// Where the crate `tollgate-plugin` is, for Rust: the folder `plugin-sdk` of a checkout [default:
    /// of the one around DIR, else of the one in which this program was built]
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let made = project::create(&self.name, self.lang, &self.path, self.sdk.as_deref())
            .map_err(|error| error.to_string())?;
        let mut text = format!("made {}\n", made.folder.display());
        if let Some(sdk) = &made.sdk {
            text.push_str(&format!("it depends on tollgate-plugin = {sdk}\n"));
        }
        let name = &self.name;
        text.push_str(&format!(
            "next:\n  cd {}\n  tollgate plugin build\n  tollgate plugin test build/{name}.wasm cases.yaml\n",
            made.folder.display(),
        ));
        print(&text)
    }
}
