//! The loader: from the bytes of a file to a plugin in a chain, or to the reason why not.

use std::{fs, path::Path};

use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    config, disk,
    generation::Builder,
    plugin::{LoadError, World},
    reload::Stamps,
    server::{self, Options},
};

/// What the bytes of a component begin with; other inputs are changes to one that is known.
const MAGIC: &[u8] = b"\0asm";

/// Loads whatever it is given.
pub struct Loader {
    runtime: Runtime,
    builder: Builder,
    folder: TempDir,
    /// Small components, in the order of their names.
    known: Vec<Vec<u8>>,
}

impl Loader {
    /// `components`: a folder of small ones; what an input costs is to compile it.
    ///
    /// # Panics
    ///
    /// The machine cannot run the engine, or the folder has no components.
    pub fn new(components: &Path) -> Self {
        let known = files(components);
        assert!(!known.is_empty(), "{} has no components", components.display());
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("tollgate.yaml");
        let options = Options { config, cache: None, offline: true, log: None };
        Self {
            runtime: server::runtime().expect("a runtime"),
            builder: server::builder(&options).expect("the machine runs the engine"),
            folder,
            known,
        }
    }

    /// Loads the input as a plugin and as the end of a route.
    ///
    /// # Panics
    ///
    /// It is refused without a reason, or half of it is accepted.
    pub fn load(&mut self, input: &[u8]) {
        let bytes = self.bytes(input);
        let file = self.folder.path().join("input.wasm");
        fs::write(&file, &bytes).expect("a file");
        let _ = World::of(&bytes);
        let loaded = self.runtime.block_on(self.builder.components.load(&file));
        let plugin = self.build(&file, "plugins");
        let end = self.build(&file, "end");
        match loaded {
            Ok(component) => {
                assert_eq!(component.size, bytes.len());
                assert!(!end, "a plugin cannot end a route");
            }
            Err(reason) => {
                assert!(!reason.to_string().is_empty(), "refused without a reason");
                let is_middleware = matches!(reason, LoadError::Middleware { .. });
                assert!(!plugin || is_middleware, "no plugin, and yet in a chain: {reason}");
            }
        }
    }

    /// Whether a gateway accepts the component at this place of a route.
    fn build(&self, file: &Path, place: &str) -> bool {
        let mut route = json!({ "match": { "path": "/" }, "respond": { "status": 204 } });
        match place {
            "plugins" => route["plugins"] = json!([{ "component": file }]),
            _ => route = json!({ "match": { "path": "/" }, "component": file }),
        }
        let text = json!({
            "listeners": [{ "address": "127.0.0.1:0" }],
            "routes": [route],
        });
        let config = config::parse(&text.to_string(), Path::new("tollgate.yaml"));
        let config = config.expect("a sound configuration");
        let built = self.builder.assemble(config, Stamps::default(), None);
        match self.runtime.block_on(built) {
            Ok(_) => true,
            Err(failure) => {
                let words = failure.0.iter().all(|fault| !fault.message.is_empty());
                assert!(words && !failure.0.is_empty(), "refused without a reason");
                false
            }
        }
    }

    /// The file to load: the input, or a known component with other bytes at some places. Its first
    /// byte says of which component, each four more where and which byte.
    fn bytes(&self, input: &[u8]) -> Vec<u8> {
        let (Some((which, edits)), false) = (input.split_first(), input.starts_with(MAGIC)) else {
            return input.to_vec();
        };
        let mut bytes = self.known[usize::from(*which) % self.known.len()].clone();
        for edit in edits.chunks_exact(4) {
            let at = u32::from_le_bytes([edit[0], edit[1], edit[2], 0]) as usize;
            let length = bytes.len();
            bytes[at % length] = edit[3];
        }
        bytes
    }
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let files = disk::components(folder);
    files.iter().filter_map(|file| fs::read(file).ok()).filter(|bytes| !bytes.is_empty()).collect()
}
