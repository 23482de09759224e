//! `jwt` with keys that it fetches.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use http::Response;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
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

/// A server that gives a key set to as many as `gate` lets through.
async fn gated(signer: &Signer) -> (Upstream, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let set = json!({ "keys": [signer.jwk()] }).to_string();
    let idp = Upstream::new({
        let gate = Arc::clone(&gate);
        move |_| {
            let (gate, set) = (Arc::clone(&gate), set.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                Response::new(full(set))
            }
        }
    })
    .await;
    (idp, gate)
}

/// Two workers, and a store that all instances share.
async fn sharing(upstream: &Upstream, idp: &Upstream, more: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 2
        upstreams:
          u: {{ endpoints: ["{upstream}"] }}
          idp: {{ endpoints: ["{idp}"] }}
        routes:
          - name: all
            match: {{ path: / }}
            upstream: u
            plugins:
              - component: jwt
                config: {{ audience: orders, jwks: {{ upstream: idp, path: /keys, timeout: 15s {more} }} }}
                grants: {{ upstreams: [idp], stores: [keys] }}
        "#
    ))
    .plugin("jwt")
    .start()
    .await
}

#[tokio::test]
async fn instances_that_share_a_store_fetch_keys_once_for_all_who_wait() {
    let upstream = Upstream::text("here").await;
    let signer = Signer::es256("one");
    let (idp, gate) = gated(&signer).await;
    let gateway = sharing(&upstream, &idp, "").await;
    let asking = join_all((0..20).map(|_| ask(&gateway, &signer)));
    let release = async {
        tollgate_tests::wait::until("several instances wait", async || {
            let instances = gateway.metric("tollgate_plugin_instances", &[("plugin", "jwt")]).await;
            (instances > 9.5).then_some(())
        })
        .await;
        // More than one may pass: there is to be but one.
        gate.add_permits(100);
    };
    let (replies, ()) = tokio::join!(asking, release);
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(idp.requests(), 1);

    // What a reload makes anew finds the set.
    gateway.reload_well().await;
    assert_eq!(ask(&gateway, &signer).await.status, 200);
    assert_eq!(idp.requests(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn while_one_exchange_refreshes_the_keys_the_others_go_on() {
    let upstream = Upstream::text("here").await;
    let signer = Signer::es256("one");
    let (idp, gate) = gated(&signer).await;
    let gateway = sharing(&upstream, &idp, ", refresh: 50ms").await;
    gate.add_permits(1);
    assert_eq!(ask(&gateway, &signer).await.status, 200);
    let refreshing = async {
        // One of these finds the set due, and waits at the gate.
        while idp.requests() < 2 {
            assert_eq!(ask(&gateway, &signer).await.status, 200);
        }
    };
    let others = async {
        tollgate_tests::wait::until("a refresh", async || (idp.requests() == 2).then_some(()))
            .await;
        for _ in 0..20 {
            assert_eq!(ask(&gateway, &signer).await.status, 200);
        }
        assert_eq!(idp.requests(), 2, "nobody else asks meanwhile");
        gate.add_permits(1000);
    };
    let both = Box::pin(async { tokio::join!(refreshing, others) });
    tollgate_tests::wait::within("both", both).await;
    gateway.stop().await;
}
