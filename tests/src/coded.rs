//! Bodies in content codings.

use compression_codecs::{
    BrotliDecoder, BrotliEncoder, DecodeV2, EncodeV2, GzipDecoder, GzipEncoder, ZlibDecoder,
    ZlibEncoder, ZstdDecoder, ZstdEncoder,
    brotli::params::EncoderParams,
    core::{
        Level,
        util::{PartialBuffer, WriteBuffer},
    },
};

/// The codings that the gateway knows.
pub const CODINGS: [&str; 4] = ["gzip", "br", "zstd", "deflate"];

/// Does a coding, by its name in `content-encoding`.
///
/// # Panics
///
/// There is no such coding.
#[must_use]
pub fn encode(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut codec: Box<dyn EncodeV2> = match coding {
        "gzip" => Box::new(GzipEncoder::new(Level::Default.into())),
        "br" => Box::new(BrotliEncoder::new(EncoderParams::default().quality(Level::Fastest))),
        "zstd" => Box::new(ZstdEncoder::new(3)),
        "deflate" => Box::new(ZlibEncoder::new(Level::Default.into())),
        _ => panic!("what is `{coding}`?"),
    };
    let mut output = vec![0; body.len() + 1024];
    let mut written = WriteBuffer::new_initialized(&mut output);
    let mut input = PartialBuffer::new(body);
    while !input.unwritten().is_empty() {
        codec.encode(&mut input, &mut written).expect("it can be encoded");
    }
    while !codec.finish(&mut written).expect("it can be encoded") {}
    written.written().to_vec()
}

/// Undoes a coding; none for an empty name.
///
/// # Panics
///
/// There is no such coding, or `body` does not follow it.
#[must_use]
pub fn decode(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut codec: Box<dyn DecodeV2> = match coding {
        "" => return body.to_vec(),
        "gzip" => Box::new(GzipDecoder::new()),
        "br" => Box::new(BrotliDecoder::new()),
        "zstd" => Box::new(ZstdDecoder::new()),
        "deflate" => Box::new(ZlibDecoder::new()),
        _ => panic!("what is `{coding}`?"),
    };
    let mut output = vec![0; 1 << 20];
    let mut written = WriteBuffer::new_initialized(&mut output);
    let mut input = PartialBuffer::new(body);
    while !codec.decode(&mut input, &mut written).expect("it follows its coding") {
        assert!(!input.unwritten().is_empty(), "it is cut short, or larger than a test's");
    }
    written.written().to_vec()
}
