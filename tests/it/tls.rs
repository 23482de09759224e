//! TLS of listeners: versions, names, certificates of both sides.

use tokio_rustls::rustls::ProtocolVersion;
use tollgate_tests::{
    Connection, Gateway, Setup,
    certs::{Authority, Certificate},
    client::request,
    tls::{self, Dial},
    wait,
};

/// One TLS listener with these certificates, more of its settings, and one route.
fn setup(certificates: &[(&str, &Certificate)], more: &str) -> Setup {
    let listed: Vec<_> = certificates
        .iter()
        .map(|(name, _)| format!("{{ certificate: {name}.pem, key: {name}.key }}"))
        .collect();
    let setup = Setup::new(&format!(
        r#"
        listeners:
          - address: 127.0.0.1:0
            tls: {{ certificates: [{}], {more} }}
        routes:
          - name: all
            match: {{ path: "/" }}
            plugins:
              - component: probe
                config:
                  response: [{{ show: tls }}, {{ show: server-name }}, {{ show: client-certificate }}, {{ show: scheme }}]
            respond: {{ body: here }}
        "#,
        listed.join(", ")
    ))
    .plugin("probe");
    certificates.iter().fold(setup, |setup, (name, certificate)| {
        setup
            .file(&format!("{name}.pem"), &certificate.pem)
            .file(&format!("{name}.key"), &certificate.key)
    })
}

/// What the plugin saw of the session: version, server name, client certificate, scheme.
async fn seen(mut connection: Connection) -> String {
    let reply = connection.send(request("GET", "/", &[], "")).await;
    assert_eq!(reply.text(), "here");
    reply.header("x-probe")
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_told() {
    let authority = Authority::default();
    let gateway = setup(&[("a", &authority.expired(&["gateway.test"]))], "").start().await;
    let ready = gateway.admin("/readyz").await.text();
    assert!(
        ready.contains("degraded: the certificate `") && ready.contains("a.pem` has expired"),
        "{ready}"
    );
    gateway.logged(&["WARN", "a.pem` has expired"]).await;
    let end = gateway.metric("tollgate_certificate_not_after_seconds", &[]).await;
    assert_eq!(end, 1_577_836_800.0);
    gateway.stop().await;
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let authority = Authority::default();
    let certificate = authority.server(&["gateway.test"]);
    let gateway = setup(&[("a", &certificate)], "").start().await;
    let address = gateway.address();
    let dial = || Dial::new(&authority, "gateway.test");
    assert_eq!(seen(dial().only_1_2().http1(address).await).await, "1.2, gateway.test, -, https");
    assert_eq!(seen(dial().only_1_3().http1(address).await).await, "1.3, gateway.test, -, https");
    let newest = dial().connect(address).await.unwrap();
    assert_eq!(tls::version(&newest), ProtocolVersion::TLSv1_3);
    drop(newest);
    gateway.stop().await;
}

#[tokio::test]
async fn a_minimum_of_1_3_refuses_1_2() {
    let authority = Authority::default();
    let certificate = authority.server(&["gateway.test"]);
    let gateway = setup(&[("a", &certificate)], "min_version: \"1.3\"").start().await;
    let dial = || Dial::new(&authority, "gateway.test");
    let refused = dial().only_1_2().connect(gateway.address()).await.unwrap_err();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    seen(dial().only_1_3().http1(gateway.address()).await).await;
    gateway.stop().await;
}

#[tokio::test]
async fn the_server_name_chooses_the_certificate() {
    let authority = Authority::default();
    let one = authority.server(&["one.test", "first.test"]);
    let two = authority.server(&["two.test"]);
    let wild = authority.server(&["*.wild.test"]);
    let certificates = [("one", &one), ("two", &two), ("wild", &wild)];
    let gateway = setup(&certificates, "").start().await;
    for (name, expected) in [
        ("one.test", &one),
        ("first.test", &one),
        ("two.test", &two),
        ("a.wild.test", &wild),
        ("B.Wild.Test", &wild),
    ] {
        let stream = Dial::new(&authority, name).connect(gateway.address()).await.unwrap();
        assert_eq!(tls::shown_certificate(&stream), tls::der(&expected.pem), "{name}");
    }
    // A wildcard stands for one label (RFC 6125 §6.4.3); others get the first, which the client
    // of this test then does not believe.
    for name in ["a.b.wild.test", "wild.test", "elsewhere.test"] {
        let refused = Dial::new(&authority, name).connect(gateway.address()).await.unwrap_err();
        assert!(refused.to_string().contains("one.test"), "{name}: {refused}");
    }
    gateway.stop().await;
}

/// Waits until new connections are shown `certificate`.
async fn shows(gateway: &Gateway, authority: &Authority, certificate: &Certificate) {
    let expected = tls::der(&certificate.pem);
    wait::until("the new certificate", async || {
        let dial = Dial::new(authority, "gateway.test");
        let stream = dial.connect(gateway.address()).await.unwrap();
        (tls::shown_certificate(&stream) == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn changed_certificate_files_are_taken_up_and_open_connections_stay() {
    let authority = Authority::default();
    let old = authority.server(&["gateway.test"]);
    let gateway = setup(&[("a", &old)], "").start().await;
    let mut open = Dial::new(&authority, "gateway.test").http1(gateway.address()).await;
    assert_eq!(open.send(request("GET", "/", &[], "")).await.status, 200);

    let new = authority.server(&["gateway.test"]);
    // Both files change, one after the other; between them they do not fit each other.
    gateway.write_file("a.pem", &new.pem);
    gateway.write_file("a.key", &new.key);
    shows(&gateway, &authority, &new).await;
    assert_eq!(open.send(request("GET", "/", &[], "")).await.status, 200);
    drop(open);
    gateway.stop().await;
}

#[tokio::test]
async fn a_certificate_that_is_none_changes_nothing() {
    let authority = Authority::default();
    let certificate = authority.server(&["gateway.test"]);
    let gateway = setup(&[("a", &certificate)], "").start().await;
    gateway.write_file("a.pem", "not a certificate");
    gateway.failed_reloads_reach(1).await;
    shows(&gateway, &authority, &certificate).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_required_client_certificate_is_required() {
    let (authority, clients, strangers) =
        (Authority::default(), Authority::default(), Authority::default());
    let certificate = authority.server(&["gateway.test"]);
    let gateway = setup(&[("a", &certificate)], "client_ca: clients.pem, client_auth: required")
        .file("clients.pem", clients.pem())
        .start()
        .await;
    let known = clients.client("ann.clients.test");
    let dial = || Dial::new(&authority, "gateway.test");
    let with_own = Dial { certificate: Some(&known), ..dial() };
    let connection = with_own.http1(gateway.address()).await;
    assert_eq!(seen(connection).await, "1.3, gateway.test, ann.clients.test, https");

    let unknown = strangers.client("ann.clients.test");
    for dial in [dial(), Dial { certificate: Some(&unknown), ..dial() }] {
        // In TLS 1.3 the client is through before the server has seen its certificate.
        if let Ok(stream) = dial.connect(gateway.address()).await {
            let reply =
                Connection::http1(stream).await.try_send(request("GET", "/", &[], "")).await;
            assert!(reply.is_err(), "{reply:?}");
        }
    }
    let name = "tollgate_tls_handshake_failures_total";
    wait::until("both are counted", async || {
        (gateway.metric(name, &[("reason", "certificate")]).await == 2.0).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_optional_client_certificate_may_be_missing_but_not_wrong() {
    let (authority, clients, strangers) =
        (Authority::default(), Authority::default(), Authority::default());
    let certificate = authority.server(&["gateway.test"]);
    let gateway = setup(&[("a", &certificate)], "client_ca: clients.pem, client_auth: optional")
        .file("clients.pem", clients.pem())
        .start()
        .await;
    let (known, unknown) = (clients.client("ann.test"), strangers.client("ann.test"));
    let dial = |certificate| Dial { certificate, ..Dial::new(&authority, "gateway.test") };
    let address = gateway.address();
    assert_eq!(seen(dial(None).http1(address).await).await, "1.3, gateway.test, -, https");
    assert_eq!(
        seen(dial(Some(&known)).http1(address).await).await,
        "1.3, gateway.test, ann.test, https"
    );
    if let Ok(stream) = dial(Some(&unknown)).connect(address).await {
        let reply = Connection::http1(stream).await.try_send(request("GET", "/", &[], "")).await;
        assert!(reply.is_err(), "{reply:?}");
    }
    gateway.stop().await;
}

/// One listener that asks for no certificate, and one that does as `second` says.
fn two_listeners(second: &str) -> String {
    let pair = "certificates: [{ certificate: a.pem, key: a.key }]";
    format!(
        r#"
        listeners:
          - {{ address: "127.0.0.1:0", tls: {{ {pair} }} }}
          - {{ address: "127.0.0.1:0", tls: {{ {pair}, client_ca: clients.pem, client_auth: {second} }} }}
        routes: [{{ name: all, match: {{ path: "/" }}, respond: {{ body: here }} }}]
        "#
    )
}

/// A gateway with these listeners, and who has signed its certificate.
async fn gateway_of_two(second: &str) -> (Gateway, Authority) {
    let (authority, clients) = (Authority::default(), Authority::default());
    let certificate = authority.server(&["gateway.test"]);
    let setup = Setup::new(&two_listeners(second))
        .file("a.pem", &certificate.pem)
        .file("a.key", &certificate.key)
        .file("clients.pem", clients.pem());
    (setup.start().await, authority)
}

/// Whether a request is answered; gives too whether the session was one from before.
async fn is_let_in(client: &tls::Client, address: std::net::SocketAddr) -> (bool, bool) {
    let Ok(stream) = client.connect(address).await else { return (false, false) };
    let is_resumed = tls::is_resumed(&stream);
    let reply = Connection::http1(stream).await.try_send(request("GET", "/", &[], "")).await;
    (reply.is_ok_and(|reply| reply.text() == "here"), is_resumed)
}

#[tokio::test]
async fn a_session_opens_no_listener_that_would_ask_for_a_certificate() {
    let (gateway, authority) = gateway_of_two("required").await;
    let dial = || Dial::new(&authority, "gateway.test");
    for dial in [dial().only_1_2(), dial().only_1_3()] {
        let client = dial.client();
        assert_eq!(is_let_in(&client, gateway.listener(0)).await, (true, false));
        assert_eq!(is_let_in(&client, gateway.listener(0)).await, (true, true));
        assert!(!is_let_in(&client, gateway.listener(1)).await.0);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_the_configuration_that_asked_for_certificates() {
    let (gateway, authority) = gateway_of_two("optional").await;
    let client = Dial::new(&authority, "gateway.test").client();
    assert_eq!(is_let_in(&client, gateway.listener(1)).await, (true, false));
    assert_eq!(is_let_in(&client, gateway.listener(1)).await, (true, true));
    gateway.write_config(&two_listeners("required"));
    gateway.reload_well().await;
    assert!(!is_let_in(&client, gateway.listener(1)).await.0);
    gateway.stop().await;
}

#[tokio::test]
async fn bytes_that_are_not_tls_end_their_own_connection_only() {
    let authority = Authority::default();
    let certificate = authority.server(&["gateway.test"]);
    let gateway = setup(&[("a", &certificate)], "").start().await;
    let reply = gateway.raw_exchange("GET / HTTP/1.1\r\nhost: gateway.test\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    assert!(reply.contains("this port speaks TLS"), "{reply}");
    assert!(!gateway.raw_exchange("\x01 no HTTP either").await.contains("HTTP"));
    seen(Dial::new(&authority, "gateway.test").http1(gateway.address()).await).await;
    gateway.stop().await;
}
