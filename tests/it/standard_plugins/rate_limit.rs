//! `rate-limit`: so much and no more.

use tollgate_tests::{Upstream, client::request};

use super::before;

#[tokio::test]
async fn who_asks_too_often_is_a_429_problem_that_says_when_to_come_back() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&upstream, "rate-limit", "{ limits: [{ limit: 2/h }] }").await;
    for left in ["r=1", "r=0"] {
        let reply = gateway.get("/", &[]).await;
        assert_eq!(reply.status, 200);
        assert!(reply.header("ratelimit").contains(left), "{}", reply.header("ratelimit"));
        assert_eq!(reply.header("ratelimit-policy"), r#""2/h";q=2;w=3600"#);
    }
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.problem(), "429 rate-limited");
    let retry_after: u32 = reply.header("retry-after").parse().unwrap();
    assert!((1700..=1800).contains(&retry_after), "{retry_after}");
    assert!(reply.header("ratelimit").contains("r=0"), "{}", reply.header("ratelimit"));
    assert_eq!(upstream.requests(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_burst_of_many_clients_gets_exactly_the_limit() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&upstream, "rate-limit", "{ limits: [{ limit: 100/h }] }").await;
    // Both workers, and all instances, count together.
    let ask = async || {
        let mut connection = gateway.connect().await;
        let mut allowed = 0;
        for _ in 0..10 {
            let reply = connection.send(request("GET", "/", &[], "")).await;
            allowed += usize::from(reply.status == 200);
        }
        allowed
    };
    let allowed = futures_util::future::join_all((0..20).map(|_| ask())).await;
    assert_eq!(allowed.iter().sum::<usize>(), 100);
    gateway.stop().await;
}

#[tokio::test]
async fn each_key_has_its_own_count() {
    let upstream = Upstream::text("here").await;
    let config = "{ limits: [{ limit: 1/h, key: 'header:x-user' }] }";
    let gateway = before(&upstream, "rate-limit", config).await;
    let status = async |fields: &[(&str, &str)]| gateway.get("/", fields).await.status;
    assert_eq!(status(&[("x-user", "ann")]).await, 200);
    assert_eq!(status(&[("x-user", "bob")]).await, 200);
    assert_eq!(status(&[("x-user", "ann")]).await, 429);
    assert_eq!(status(&[]).await, 403);
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_cannot_get_another_count_by_saying_that_it_is_another() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&upstream, "rate-limit", "{ limits: [{ limit: 1/h }] }").await;
    let status = async |from: &str| gateway.get("/", &[("x-forwarded-for", from)]).await.status;
    assert_eq!(status("10.0.0.1").await, 200);
    assert_eq!(status("10.0.0.2").await, 429);
    gateway.stop().await;
}

#[tokio::test]
async fn a_dry_run_refuses_nobody() {
    let upstream = Upstream::text("here").await;
    let config = "{ limits: [{ limit: 1/h }], dry_run: true }";
    let gateway = before(&upstream, "rate-limit", config).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    gateway.stop().await;
}
