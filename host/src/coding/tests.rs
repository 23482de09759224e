use http_body_util::BodyExt;

use super::*;
use crate::body::{Body, BodyError};

const ALL: [Coding; 4] = [Coding::Gzip, Coding::Brotli, Coding::Zstd, Coding::Deflate];

fn headers(name: http::HeaderName, lines: &[&'static str]) -> HeaderMap {
    lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
}

async fn encoded(coding: Coding, body: &[u8]) -> Bytes {
    let source = Body::full(body.to_vec());
    Encoded::new(source, coding).collect().await.unwrap().to_bytes()
}

/// Text that does not repeat itself at once, so that all parts of the codecs are used.
fn text(length: usize) -> Vec<u8> {
    let words = (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes());
    words.take(length).collect()
}

/// Decodes by pieces of input and output of these sizes.
fn by_pieces(
    coding: Coding,
    input: &Bytes,
    taken: usize,
    made: usize,
) -> Result<Vec<u8>, BodyError> {
    let (mut decoder, mut output) = (Decoder::new(coding), vec![0; made]);
    let mut whole = Vec::new();
    for piece in input.chunks(taken).map(|piece| Some(Bytes::copy_from_slice(piece))).chain([None])
    {
        let ended = piece.is_none();
        let mut piece = piece.unwrap_or_default();
        loop {
            let length = decoder.decode(&mut piece, ended, &mut output)?;
            if length == 0 {
                break;
            }
            whole.extend_from_slice(&output[..length]);
        }
        assert!(piece.is_empty(), "all of a piece is taken");
    }
    Ok(whole)
}

#[tokio::test]
async fn what_is_done_is_undone_whatever_the_pieces() {
    for coding in ALL {
        for length in [0, 1, 1000, 4096] {
            let text = text(length);
            let encoded = encoded(coding, &text).await;
            for (taken, made) in [(1, 1), (1, 4096), (3, 7), (4096, 1), (4096, 4096), (5, 1000)] {
                let decoded = by_pieces(coding, &encoded, taken, made);
                assert!(
                    decoded.is_ok_and(|decoded| decoded == text),
                    "{coding:?} of {length} by {taken} and {made}"
                );
            }
        }
        let zeroes = vec![0; 1 << 20];
        let encoded = encoded(coding, &zeroes).await;
        assert_eq!(by_pieces(coding, &encoded, 1, 1 << 12).unwrap(), zeroes, "{coding:?}");
        assert_eq!(by_pieces(coding, &encoded, 1 << 20, 1 << 15).unwrap(), zeroes, "{coding:?}");
    }
}

#[tokio::test]
async fn half_a_body_or_another_coding_never_passes_for_a_whole_one() {
    for coding in ALL {
        let encoded = encoded(coding, &text(5000)).await;
        for cut in [1, 5, encoded.len() / 2, encoded.len() - 1] {
            let half = decode(coding, encoded.slice(..cut), 1 << 20).await;
            assert!(
                matches!(half, Err(ReadError::Ended(BodyError::Coding { .. }))),
                "{coding:?} {cut}"
            );
        }
        let plain = decode(coding, Bytes::from_static(b"not coded at all"), 1 << 20).await;
        assert!(matches!(plain, Err(ReadError::Ended(BodyError::Coding { .. }))), "{coding:?}");
    }
}

#[tokio::test]
async fn all_members_of_a_body_are_seen_or_none() {
    for coding in ALL {
        let one = encoded(coding, b"one ").await;
        let two = encoded(coding, b"two").await;
        let both = Bytes::from([one, two].concat());
        let decoded = decode(coding, both, 100).await;
        match coding {
            Coding::Gzip | Coding::Zstd => assert_eq!(decoded.unwrap(), "one two"),
            Coding::Brotli | Coding::Deflate => assert!(decoded.is_err(), "{coding:?}"),
        }
    }
}

#[tokio::test]
async fn the_limit_counts_decoded_bytes() {
    for coding in ALL {
        let encoded = encoded(coding, &vec![0; 1 << 20]).await;
        assert!(encoded.len() < 10_000);
        let fits = decode(coding, encoded.clone(), 1 << 20).await;
        assert_eq!(fits.unwrap().len(), 1 << 20);
        let above = decode(coding, encoded, (1 << 20) - 1).await;
        assert!(matches!(above, Err(ReadError::TooLarge(_))), "{coding:?}");
    }
}

#[tokio::test]
async fn a_window_above_that_of_the_web_is_refused() {
    use compression_codecs::{EncodeV2, ZstdEncoder, core::util::*, zstd::params::CParameter};
    let mut codec = ZstdEncoder::new_with_params(3, &[CParameter::window_log(25)]);
    let (text, mut output) = (text(1 << 16), vec![0; 1 << 17]);
    let mut output = WriteBuffer::new_initialized(&mut output);
    codec.encode(&mut PartialBuffer::new(&text[..]), &mut output).unwrap();
    while !codec.finish(&mut output).unwrap() {}
    let encoded = Bytes::copy_from_slice(output.written());
    assert!(decode(Coding::Zstd, encoded, 1 << 20).await.is_err());
}

#[test]
fn a_coding_is_known_by_its_name_alone() {
    let name = CONTENT_ENCODING;
    for (lines, expected) in [
        (&[][..], Coded::Plainly),
        (&["identity"], Coded::Plainly),
        (&["gzip"], Coded::In(Coding::Gzip)),
        (&["X-Gzip"], Coded::In(Coding::Gzip)),
        (&["BR"], Coded::In(Coding::Brotli)),
        (&["zstd"], Coded::In(Coding::Zstd)),
        (&["deflate"], Coded::In(Coding::Deflate)),
        (&["compress"], Coded::Unknown),
        (&["gzip, br"], Coded::Unknown),
        (&["gzip", "br"], Coded::Unknown),
    ] {
        assert_eq!(of(&headers(name.clone(), lines)), expected, "{lines:?}");
    }
}

#[test]
fn a_client_gets_what_it_accepts_and_the_upstream_hears_of_what_is_known() {
    let name = ACCEPT_ENCODING;
    for (line, gzip, known) in [
        ("gzip", true, "gzip"),
        ("gzip;q=0", false, "identity"),
        ("br;q=1.0, gzip; q=0.5", true, "br, gzip"),
        ("*", true, "identity"),
        ("*;q=0", false, "identity"),
        ("gzip;q=0, *", false, "identity"),
        ("dcb, zstd, compress", false, "zstd"),
        ("identity", false, "identity"),
    ] {
        let mut headers = headers(name.clone(), &[line]);
        assert_eq!(is_accepted(&headers, Coding::Gzip), gzip, "{line}");
        accept_known(&mut headers);
        assert_eq!(headers[&name], known, "{line}");
    }
    assert!(!is_accepted(&HeaderMap::new(), Coding::Gzip));
}
