use super::*;

/// A body that has been read in part: `read` stands before `rest`.
fn begun(read: &'static [u8], rest: Body) -> Body {
    Body::Begun { read: BytesMut::from(read), rest: Box::new(rest) }
}

async fn whole(body: Body) -> Result<Bytes, BodyError> {
    body.collect().await.map(http_body_util::Collected::to_bytes)
}

#[tokio::test]
async fn reading_twice_gives_the_same() {
    let mut body = begun(b"one ", Body::full("two"));
    assert_eq!(body.read(100).await.unwrap(), "one two");
    assert_eq!(body.read(100).await.unwrap(), "one two");
    assert_eq!(body.size_hint().exact(), Some(7));
}

#[tokio::test]
async fn a_read_that_went_too_far_loses_nothing() {
    let mut body = begun(b"one ", Body::full("two"));
    assert!(matches!(body.read(5).await, Err(ReadError::TooLarge(5))));
    assert!(matches!(body.read(5).await, Err(ReadError::TooLarge(5))));
    assert_eq!(whole(body).await.unwrap(), "one two");
}

#[tokio::test]
async fn a_limit_is_the_last_size_that_passes() {
    assert_eq!(Body::full("1234").read(4).await.unwrap(), "1234");
    assert!(Body::full("12345").read(4).await.is_err());
    assert_eq!(begun(b"12", Body::full("34")).read(4).await.unwrap(), "1234");
    assert!(begun(b"12", Body::full("345")).read(4).await.is_err());
}

#[tokio::test]
async fn a_broken_body_stays_broken() {
    let mut body = begun(b"one", Body::Broken(BodyError::ClientAborted));
    assert!(matches!(body.read(100).await, Err(ReadError::Ended(BodyError::ClientAborted))));
    assert!(matches!(body.read(100).await, Err(ReadError::Ended(BodyError::ClientAborted))));
    assert!(whole(body).await.is_err(), "half a body never passes for a whole one");
}

#[test]
fn the_length_of_a_begun_body_is_that_of_all_of_it() {
    assert_eq!(begun(b"one ", Body::full("two")).size_hint().exact(), Some(7));
    assert!(!begun(b"x", Body::Empty).is_end_stream());
    assert!(begun(b"", Body::Empty).is_end_stream());
}
