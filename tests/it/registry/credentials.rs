//! Registries that want to know who asks, and registries that speak TLS.

use base64::{Engine, engine::general_purpose::STANDARD};
use tollgate_tests::{
    Registry, artifacts,
    certs::Authority,
    registry::{PASSWORD, USER},
};

use super::{Bed, answered_by};

/// A registry with a password, and the file to push.
async fn guarded() -> Option<(Bed, String)> {
    let bed = Bed::around(Registry::with_password().await?);
    Some((bed, artifacts::component("probe").to_str().unwrap().to_owned()))
}

impl Bed {
    /// What `docker login` would write.
    fn log_in(&self, password: &str) {
        let auth = STANDARD.encode(format!("{USER}:{password}"));
        let file = serde_json::json!({ "auths": { self.registry.to_string(): { "auth": auth } } });
        std::fs::write(self.docker().join("config.json"), file.to_string()).unwrap();
    }
}

#[tokio::test]
async fn a_registry_lets_in_who_has_the_password() {
    let Some((bed, file)) = guarded().await else { return };
    let reference = bed.registry.reference("probe:1");
    let push = ["plugin", "push", &file, &reference];
    let refused = |ran: tollgate_tests::process::Ran, reason: &str| {
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(reason), "{ran:?}");
        assert!(!ran.stderr.contains(PASSWORD), "{ran:?}");
    };
    refused(bed.tollgate(&push), "wants credentials");
    let with_password = [&push[..], &["--username", USER, "--password-stdin"]].concat();
    let push_with = |input: &str| bed.tollgate_in(bed.folder.path(), input, &with_password);
    refused(push_with("another"), "refuses the credentials");
    let pushed = push_with(&format!("{PASSWORD}\n"));
    assert_eq!(pushed.code, 0, "{pushed:?}");

    let pull = ["plugin", "pull", &reference];
    refused(bed.tollgate(&pull), "wants credentials");
    bed.log_in("another");
    refused(bed.tollgate(&pull), "refuses the credentials");
    bed.log_in(PASSWORD);
    let pulled = bed.tollgate(&pull);
    assert_eq!(pulled.code, 0, "{pulled:?}");
    std::fs::write(bed.docker().join("config.json"), "no JSON").unwrap();
    bed.forget();
    refused(bed.tollgate(&pull), "the file is not Docker's");
}

#[tokio::test]
async fn a_credential_helper_is_asked() {
    let Some((bed, file)) = guarded().await else { return };
    let reference = bed.registry.reference("probe:1");
    let folder = bed.folder.path();
    let helper = folder.join("docker-credential-test");
    let answer = serde_json::json!({ "Username": USER, "Secret": PASSWORD });
    let script = format!(
        "#!/bin/sh\nread host\ntest \"$1 $host\" = 'get {}' && echo '{answer}'\n",
        bed.registry
    );
    std::fs::write(&helper, script).unwrap();
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let settings = serde_json::json!({ "credHelpers": { bed.registry.to_string(): "test" } });
    std::fs::write(bed.docker().join("config.json"), settings.to_string()).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let (cache, docker) = (bed.cache(), bed.docker());
    let push = |path: &str| {
        let environment =
            [("TOLLGATE_CACHE", &*cache), ("DOCKER_CONFIG", &*docker), ("PATH", path.as_ref())];
        let arguments = ["plugin", "push", &file, &reference];
        tollgate_tests::process::tollgate_with(folder, &environment, "", &arguments)
    };
    let pushed = push(&path);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    let refused = push("/nowhere");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("helper cannot be run"), "{refused:?}");
}

#[tokio::test]
async fn a_gateway_has_its_password_from_the_configuration_and_never_logs_it() {
    let Some((bed, file)) = guarded().await else { return };
    let reference = bed.registry.reference("probe:1");
    bed.log_in(PASSWORD);
    let pushed = bed.tollgate(&["plugin", "push", &file, &reference]);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    std::fs::remove_file(bed.docker().join("config.json")).unwrap();
    bed.forget();
    let registries = format!(
        "registries: {{ \"{}\": {{ username: {USER}, password: \"${{file:password}}\" }} }}\n",
        bed.registry
    );
    let config = registries + &answered_by(&reference);
    let setup = bed.setup(&config).file("password", PASSWORD).env("TOLLGATE_LOG", "trace");
    let gateway = setup.start().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    gateway.logged(&["fetched a plugin"]).await;
    let token = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    for secret in [PASSWORD, &token] {
        assert!(!gateway.log().contains(secret), "{}", gateway.log());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn tls_is_spoken_with_an_authority_of_ones_own() {
    let authority = Authority::default();
    let certificate = authority.server(&["127.0.0.1"]);
    let Some(registry) = Registry::with_tls(&certificate).await else { return };
    let bed = Bed::around(registry);
    let ca = bed.folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let (file, reference) = (artifacts::component("probe"), bed.registry.reference("probe:1"));
    let push = |arguments: &[&str]| {
        let push = ["plugin", "push", file.to_str().unwrap(), &reference];
        bed.tollgate(&[&push[..], arguments].concat())
    };
    let refused = push(&["--plain-http=false"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("UnknownIssuer"), "{refused:?}");
    let pushed = push(&["--ca", ca.to_str().unwrap()]);
    assert_eq!(pushed.code, 0, "{pushed:?}");

    let registries = format!("registries: {{ \"{}\": {{ ca: ca.pem }} }}\n", bed.registry);
    let config = registries + &answered_by(&reference);
    let gateway = bed.setup(&config).file("ca.pem", authority.pem()).start().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    gateway.stop().await;
}

#[tokio::test]
async fn cleartext_leaves_the_machine_only_where_it_is_asked_for() {
    let Some(bed) = Bed::start().await else { return };
    bed.push("probe", "probe:1");
    // The same place, by an address that is not the machine's own loopback.
    let port = bed.registry.to_string().rsplit_once(':').unwrap().1.to_owned();
    let reference = format!("oci://0.0.0.0:{port}/probe:1");
    let pull = ["plugin", "pull", &reference];
    let refused = bed.tollgate(&pull);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("cannot be reached"), "{refused:?}");
    let pulled = bed.tollgate(&[&pull[..], &["--plain-http"]].concat());
    assert_eq!(pulled.code, 0, "{pulled:?}");
}
