//! Request bodies that outlive their response.

use http::Response;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tollgate_tests::{Upstream, client::full, raw::status, wait};

use super::before;

#[tokio::test]
async fn an_upload_goes_on_after_its_response_for_longer_than_a_head_may_take() {
    let (finished, mut received) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |request| {
        let finished = finished.clone();
        async move {
            tokio::spawn(async move {
                let body = request.into_body().collect().await;
                finished.send(body.map(|body| body.to_bytes().len()).ok()).unwrap();
            });
            Response::new(full("taken"))
        }
    })
    .await;
    let gateway = before(&upstream, "header_timeout: 1s").await;
    let mut client = gateway.raw().await;
    client.send("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 30\r\n\r\n0123456789").await;
    let response = client.response().await;
    assert!(response.ends_with("taken"), "{response}");
    client.send("0123456789").await;

    // Another client shows that the time for a head is up.
    let refused = gateway.raw_exchange("GET / HT").await;
    assert_eq!(status(&refused), 408, "{refused}");

    client.send("0123456789").await;
    let length = wait::within("the upload's end", received.recv()).await;
    assert_eq!(length, Some(Some(30)));
    client.send("GET /ping HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.response().await.ends_with("pong"));
    gateway.stop().await;
}
