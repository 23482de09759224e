//! Endpoints that give no connection: they are passed over, rest, and are tried again.

use futures_util::future::join_all;
use tokio::net::TcpListener;
use tollgate_tests::{Upstream, client::request, recorder::OK, wait};

use super::{before, nobody};

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&format!("\"{}\", \"{upstream}\"", nobody().await), "").await;
    for method in ["GET", "POST"].repeat(5) {
        let reply = gateway.send(request(method, "/", &[], "")).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "here"), "{method}");
    }
    let of_nobody = [("upstream", "u"), ("reason", "unreachable")];
    assert!(gateway.metric("tollgate_upstream_failures_total", &of_nobody).await > 0.5);
    gateway.stop().await;
}

#[tokio::test]
async fn endpoints_that_refuse_rest_and_are_tried_again() {
    let upstream = Upstream::text("here").await;
    let dead = join_all((0..5).map(|_| nobody())).await;
    let endpoints: String = dead.iter().map(|address| format!("\"{address}\", ")).collect();
    let gateway = before(&format!("{endpoints}\"{upstream}\""), "").await;
    let back = dead[1];
    // Once each has refused, whoever comes gets an answer.
    wait::until("all five rest", async || {
        gateway.get("/", &[]).await;
        let status = gateway.status().await;
        (status["upstreams"][0]["resting"].as_array()?.len() == 5).then_some(())
    })
    .await;
    for _ in 0..30 {
        assert_eq!(gateway.get("/", &[]).await.text(), "here");
    }
    let resting = [("upstream", "u"), ("state", "resting")];
    assert_eq!(gateway.metric("tollgate_upstream_endpoints", &resting).await, 5.0);
    gateway.logged(&["an endpoint gives no connection, and rests", &back.to_string()]).await;
    let _returned = Upstream::text_at(back, "back").await;
    wait::until("it is asked again", async || {
        (gateway.get("/", &[]).await.text() == "back").then_some(())
    })
    .await;
    gateway.logged(&["an endpoint gives connections again", &back.to_string()]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn the_turns_of_one_that_rests_go_round_by_weight() {
    let (light, heavy) = (Upstream::text("light").await, Upstream::text("heavy").await);
    let weighted =
        |address: &str, weight| format!("{{ address: \"{address}\", weight: {weight} }}");
    let dead = weighted(&nobody().await.to_string(), 10);
    let endpoints =
        [dead, weighted(&light.to_string(), 1), weighted(&heavy.to_string(), 9)].join(", ");
    let gateway = before(&endpoints, "").await;
    for _ in 0..200 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    assert!(heavy.requests() > 6 * light.requests(), "{}", light.requests());
    assert!(light.requests() > 10, "{}", light.requests());
    gateway.stop().await;
}

#[tokio::test]
async fn an_upstream_of_which_all_rest_is_asked_all_the_same() {
    let place = nobody().await;
    let gateway = before(&format!("\"{place}\""), "").await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-unreachable");
    let ready = gateway.admin("/readyz").await.text();
    assert!(ready.contains("degraded: upstream `u` has no address that takes"), "{ready}");
    let _upstream = Upstream::text_at(place, "here").await;
    assert_eq!(gateway.get("/", &[]).await.text(), "here");
    assert_eq!(gateway.admin("/readyz").await.text(), "ready\n");
    gateway.stop().await;
}

#[tokio::test]
async fn a_heavy_endpoint_that_refuses_is_passed_over_too() {
    let upstream = Upstream::text("here").await;
    let nobody = nobody().await;
    let endpoints = format!("{{ address: \"{nobody}\", weight: 10 }}, \"{upstream}\"");
    let gateway = before(&endpoints, "").await;
    for _ in 0..22 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_is_whole_after_an_endpoint_has_been_passed_over() {
    let upstream = Upstream::echo().await;
    let gateway = before(&format!("\"{}\", \"{upstream}\"", nobody().await), "").await;
    for _ in 0..4 {
        assert_eq!(gateway.post("/", &[], "a body").await.json()["body"], "a body");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_upstream_that_comes_back_is_used_again() {
    let place = nobody().await;
    let gateway = before(&format!("\"{place}\""), "").await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-unreachable");
    let listener = TcpListener::bind(&place).await.unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Not before it is asked: an answer to nothing is none.
        stream.peek(&mut [0]).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, OK.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    });
    assert_eq!(gateway.get("/", &[]).await.text(), "ok");
    serving.abort();
    gateway.stop().await;
}
