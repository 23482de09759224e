//! `jwt` with keys that it fetches.

use std::sync::{Arc, Mutex};

use http::Response;
use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Reply, Setup, Upstream,
    client::full,
    tokens::{Signer, claims},
};

/// A server that gives the keys of the moment; nothing where there are none.
struct Keys {
    upstream: Upstream,
    keys: Arc<Mutex<Option<Value>>>,
}

impl Keys {
    async fn of(signers: &[&Signer]) -> Self {
        let keys = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&keys);
        let upstream = Upstream::new(move |_| {
            let text = kept.lock().unwrap().as_ref().map(Value::to_string);
            async move {
                match text {
                    Some(text) => Response::new(full(text)),
                    None => Response::builder().status(500).body(full("")).unwrap(),
                }
            }
        })
        .await;
        let this = Self { upstream, keys };
        this.set(signers);
        this
    }

    fn set(&self, signers: &[&Signer]) {
        let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
        *self.keys.lock().unwrap() = Some(json!({ "keys": keys }));
    }

    fn fail(&self) {
        *self.keys.lock().unwrap() = None;
    }
}

async fn before(upstream: &Upstream, keys: &Keys, more: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams:
          u: {{ endpoints: ["{upstream}"] }}
          idp: {{ endpoints: ["{}"] }}
        routes:
          - name: all
            match: {{ path: / }}
            upstream: u
            plugins:
              - component: jwt
                config: {{ audience: orders, jwks: {{ upstream: idp, path: /keys {more} }} }}
                grants: {{ upstreams: [idp] }}
        "#,
        keys.upstream
    ))
    .plugin("jwt")
    .start()
    .await
}

async fn ask(gateway: &Gateway, signer: &Signer) -> Reply {
    let token = format!("Bearer {}", signer.token(&claims(&json!({}))));
    gateway.get("/", &[("authorization", &token)]).await
}

#[tokio::test]
async fn keys_are_fetched_once_and_open_the_route() {
    let upstream = Upstream::text("here").await;
    let (rs, es) = (Signer::rs256("one"), Signer::es256("two"));
    let keys = Keys::of(&[&rs, &es]).await;
    let gateway = before(&upstream, &keys, "").await;
    assert_eq!(keys.upstream.requests(), 0, "nobody has asked yet");
    for _ in 0..5 {
        assert_eq!(ask(&gateway, &rs).await.text(), "here");
        assert_eq!(ask(&gateway, &es).await.text(), "here");
    }
    assert_eq!(keys.upstream.requests(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn an_unknown_kid_is_refused_and_does_not_ask_for_keys_each_time() {
    let upstream = Upstream::text("here").await;
    let (known, unknown) = (Signer::es256("known"), Signer::es256("unknown"));
    let keys = Keys::of(&[&known]).await;
    let gateway = before(&upstream, &keys, "").await;
    assert_eq!(ask(&gateway, &known).await.status, 200);
    for _ in 0..10 {
        assert_eq!(ask(&gateway, &unknown).await.problem(), "401 unauthorized");
    }
    assert!(keys.upstream.requests() <= 2, "{}", keys.upstream.requests());
    gateway.stop().await;
}

#[tokio::test]
async fn a_public_key_of_a_set_is_no_secret() {
    let upstream = Upstream::text("here").await;
    let signer = Signer::rs256("one");
    let keys = Keys::of(&[&signer]).await;
    let gateway = before(&upstream, &keys, "").await;
    let jwk = signer.jwk().to_string();
    for secret in [signer.public_pem.as_bytes(), jwk.as_bytes()] {
        let reply = ask(&gateway, &Signer::hmac("one", secret)).await;
        assert_eq!(reply.problem(), "401 unauthorized");
    }
    assert_eq!(ask(&gateway, &signer).await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn without_keys_nobody_gets_in_and_with_old_ones_everybody_does() {
    let upstream = Upstream::text("here").await;
    let signer = Signer::es256("one");
    let keys = Keys::of(&[&signer]).await;
    keys.fail();
    let gateway = before(&upstream, &keys, "").await;
    let reply = ask(&gateway, &signer).await;
    assert_eq!(reply.problem(), "503 keys-unavailable");
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(upstream.requests(), 0);

    keys.set(&[&signer]);
    tollgate_tests::wait::until("the keys are asked for again", async || {
        (ask(&gateway, &signer).await.status == 200).then_some(())
    })
    .await;
    keys.fail();
    // A `kid` that is not known asks for keys again, in vain, and harms nobody.
    assert_eq!(ask(&gateway, &Signer::es256("other")).await.problem(), "401 unauthorized");
    assert_eq!(ask(&gateway, &signer).await.status, 200);
    gateway.stop().await;
}
