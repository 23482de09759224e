//! Components in a real registry.

mod credentials;
mod faults;
mod layouts;
mod lies;
mod lock;
mod outages;
mod running;
mod services;

use std::path::Path;

use tempfile::TempDir;
use tollgate_tests::{
    Registry, Setup, artifacts,
    process::{Ran, tollgate_with},
};

/// A registry, and a machine that has fetched nothing yet and is logged in nowhere.
struct Bed {
    registry: Registry,
    folder: TempDir,
}

impl Bed {
    /// `None`: there is no registry on this machine.
    async fn start() -> Option<Self> {
        Some(Self::around(Registry::start().await?))
    }

    fn around(registry: Registry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["cache", "docker"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { registry, folder }
    }

    fn cache(&self) -> std::path::PathBuf {
        self.folder.path().join("cache")
    }

    fn docker(&self) -> std::path::PathBuf {
        self.folder.path().join("docker")
    }

    /// Runs a command in a folder of its own.
    fn tollgate(&self, arguments: &[&str]) -> Ran {
        self.tollgate_in(self.folder.path(), "", arguments)
    }

    fn tollgate_in(&self, folder: &Path, input: &str, arguments: &[&str]) -> Ran {
        let (cache, docker) = (self.cache(), self.docker());
        let environment = [("TOLLGATE_CACHE", &*cache), ("DOCKER_CONFIG", &*docker)];
        tollgate_with(folder, &environment, input, arguments)
    }

    /// Pushes a component by the command, and gives the reference by its digest.
    fn push(&self, component: &str, name: &str) -> String {
        self.push_file(&artifacts::component(component), name)
    }

    fn push_file(&self, file: &Path, name: &str) -> String {
        let reference = self.registry.reference(name);
        let ran = self.tollgate(&["plugin", "push", file.to_str().unwrap(), &reference]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.trim().to_owned()
    }

    /// Pushes another version of a component.
    fn push_changed(&self, component: &str, mark: usize, name: &str) -> String {
        let file = self.folder.path().join("changed.wasm");
        std::fs::write(&file, crate::reload::changed(component, mark)).unwrap();
        self.push_file(&file, name)
    }

    fn setup(&self, config: &str) -> Setup {
        Setup::new(config).env("TOLLGATE_CACHE", self.cache()).env("DOCKER_CONFIG", self.docker())
    }

    /// Forgets all that was fetched.
    fn forget(&self) {
        std::fs::remove_dir_all(self.cache()).unwrap();
        std::fs::create_dir(self.cache()).unwrap();
    }
}

/// A route that the probe of this reference answers.
fn answered_by(reference: &str) -> String {
    format!(
        r#"
routes:
  - name: all
    match: {{ path: / }}
    plugins:
      - component: {reference}
        config: {{ request: [{{ respond: {{ status: 200, body: from the registry }} }}] }}
    respond: {{ body: from the route }}
"#
    )
}

/// The digest at the end of a reference.
fn digest(reference: &str) -> &str {
    reference.split_once('@').expect("a digest").1
}
