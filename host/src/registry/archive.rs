//! The component in an archive: an image of a container with nothing but a plugin in it.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::Archive;

use super::{
    Error, MAX_COMPONENT,
    layout::{Misfit, Packing},
};

/// The file's name by the convention of Envoy's plugins.
const PLUGIN: &str = "plugin.wasm";

/// Takes the plugin out of the archive. No other file of it is looked at, none is written.
pub(super) fn plugin(archive: &[u8], packing: Packing) -> Result<Vec<u8>, Error> {
    match packing {
        Packing::Tar => find(archive),
        Packing::TarGzip => find(GzDecoder::new(archive)),
    }
}

fn find(unpacked: impl Read) -> Result<Vec<u8>, Error> {
    // What is packed small may be without end: this bounds what is skipped, too.
    let mut archive = Archive::new(unpacked.take(2 * MAX_COMPONENT));
    for entry in archive.entries().map_err(bad)? {
        let entry = entry.map_err(bad)?;
        let is_plugin = entry.header().entry_type().is_file()
            && entry
                .path()
                .is_ok_and(|path| path.strip_prefix("./").unwrap_or(&path).as_os_str() == PLUGIN);
        if !is_plugin {
            continue;
        }
        if entry.size() > MAX_COMPONENT {
            return Err(Error::TooLarge { most: MAX_COMPONENT });
        }
        let mut component = Vec::new();
        let size = entry.size();
        entry.take(MAX_COMPONENT).read_to_end(&mut component).map_err(bad)?;
        if component.len() as u64 != size {
            return Err(Misfit::BadArchive("it ends too early".to_owned()).into());
        }
        return Ok(component);
    }
    Err(Misfit::NoPluginInArchive.into())
}

fn bad(error: io::Error) -> Error {
    Misfit::BadArchive(error.kind().to_string()).into()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, *content).expect("a vector takes it");
        }
        archive.into_inner().expect("a vector takes it")
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(bytes).expect("a vector takes it");
        packed.finish().expect("a vector takes it")
    }

    #[test]
    fn the_plugin_is_found_packed_or_not() {
        for path in ["plugin.wasm", "./plugin.wasm"] {
            let archive = tar(&[("runtime-config.json", b"{}"), (path, b"component")]);
            assert_eq!(plugin(&archive, Packing::Tar).expect("it is there"), b"component");
            let packed = gzip(&archive);
            assert_eq!(plugin(&packed, Packing::TarGzip).expect("it is there"), b"component");
        }
    }

    #[test]
    fn an_archive_without_the_plugin_or_end_is_refused() {
        let message = |archive: &[u8], packing| {
            plugin(archive, packing).expect_err("there is no plugin").to_string()
        };
        let elsewhere = tar(&[("bin/plugin.wasm", b"component"), ("plugin.wasm.old", b"x")]);
        assert!(message(&elsewhere, Packing::Tar).contains("has no `plugin.wasm`"));
        let whole = tar(&[("plugin.wasm", &[7; 2000])]);
        assert!(message(&whole[..1500], Packing::Tar).contains("cannot be read"));
        let packed = gzip(&whole);
        assert!(message(&packed[..packed.len() / 2], Packing::TarGzip).contains("cannot be read"));
        assert!(message(b"no gzip", Packing::TarGzip).contains("cannot be read"));
    }
}
