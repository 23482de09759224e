//! Tags that move, and the lock that holds them.

use tollgate_tests::wait;

use super::{Bed, answered_by, digest};

#[tokio::test]
async fn the_lock_holds_when_a_tag_moves_until_it_is_updated() {
    let Some(bed) = Bed::start().await else { return };
    let old = bed.push("probe", "probe:1");
    let tag = bed.registry.reference("probe:1");
    let gateway = bed.setup(&answered_by(&tag)).start().await;
    let new = bed.push_changed("probe", 1, "probe:1");
    assert_ne!(digest(&new), digest(&old));
    let artifact = async || gateway.status().await["plugins"][0]["artifact"].clone();
    gateway.reload_well().await;
    assert_eq!(artifact().await, *digest(&old), "a reload does not move");

    let lock = |arguments: &[&str]| {
        let arguments = [&["plugin", "lock", "-c", "tollgate.yaml"], arguments].concat();
        let ran = bed.tollgate_in(gateway.folder(), "", &arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    };
    assert_eq!(lock(&[]), format!("kept     {tag} at {}\n", digest(&old)));
    let moved = format!("moved    {tag} from {} to {}\n", digest(&old), digest(&new));
    assert_eq!(lock(&["--update"]), moved);
    // The gateway follows the file, as it follows every file.
    wait::until("the new artifact", async || (artifact().await == *digest(&new)).then_some(()))
        .await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    gateway.stop().await;
}

#[tokio::test]
async fn only_the_tags_that_are_named_are_updated_and_unused_ones_are_dropped() {
    let Some(bed) = Bed::start().await else { return };
    let names = [(1, "a:1"), (2, "b:1"), (3, "c:1")];
    let first = names.map(|(mark, name)| bed.push_changed("headers", mark, name));
    let [a, b, c] = names.map(|(_, name)| bed.registry.reference(name));
    let folder = tempfile::tempdir().unwrap();
    let config = |components: &[&String]| {
        let uses = components.iter().enumerate();
        let uses = uses
            .map(|(number, component)| format!("  p{number}: {{ component: \"{component}\" }}\n"));
        let listeners = "listeners: [{ address: \"127.0.0.1:0\" }]\n";
        let text = format!("{listeners}plugins:\n{}", uses.collect::<String>());
        std::fs::write(folder.path().join("edge.yaml"), text).unwrap();
    };
    let lock = |arguments: &[&str]| {
        let arguments = [&["plugin", "lock", "-c", "edge.yaml"], arguments].concat();
        bed.tollgate_in(folder.path(), "", &arguments)
    };
    config(&[&a, &b, &c]);
    let pinned = lock(&[]);
    assert_eq!(pinned.stdout.matches("pinned").count(), 3, "{pinned:?}");
    for (_, name) in names {
        bed.push_changed("headers", 7, name);
    }
    config(&[&a, &b]);
    let updated = lock(&["--update", &b]);
    assert_eq!(updated.code, 0, "{updated:?}");
    let expected = [format!("kept     {a}"), format!("moved    {b}"), format!("dropped  {c}")];
    for (line, expected) in updated.stdout.lines().zip(&expected) {
        assert!(line.starts_with(expected), "{updated:?}");
    }
    // It is named after the configuration.
    let text = std::fs::read_to_string(folder.path().join("edge.lock")).unwrap();
    assert!(text.contains(digest(&first[0])) && !text.contains(digest(&first[1])), "{text}");
    assert!(!text.contains(&c), "{text}");

    let unknown = lock(&["--update", &c]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains(&format!("nothing is `{c}`")), "{unknown:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("edge.lock")).unwrap(), text);
}

#[tokio::test]
async fn validate_pins_nothing_and_says_what_is_not_pinned() {
    let Some(bed) = Bed::start().await else { return };
    let by_digest = bed.push("headers", "headers:1");
    let tag = bed.registry.reference("headers:1");
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]\nplugins: {{ p: {{ component: \"{tag}\" }} }}\n"
    );
    std::fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
    let validate = |arguments: &[&str]| {
        bed.tollgate_in(folder.path(), "", &[&["validate"], arguments].concat())
    };
    let offline = validate(&["--offline"]);
    assert_eq!(offline.code, 1, "{offline:?}");
    let fault = format!(
        "tollgate.yaml:2:28: plugins.p.component: `{tag}` cannot be used: its tag is not pinned"
    );
    assert!(offline.stderr.contains(&fault), "{offline:?}");

    let online = validate(&[]);
    assert_eq!(online.code, 0, "{online:?}");
    let warning =
        "warning: tollgate.yaml:2:28: plugins.p.component: the tag is not in `tollgate.lock`";
    assert!(online.stdout.contains(warning), "{online:?}");
    assert!(online.stdout.contains(digest(&by_digest)), "{online:?}");
    assert!(!folder.path().join("tollgate.lock").exists());

    let locked = bed.tollgate_in(folder.path(), "", &["plugin", "lock"]);
    assert_eq!(locked.code, 0, "{locked:?}");
    let offline = validate(&["--offline"]);
    assert_eq!(offline.code, 0, "{offline:?}");
    assert!(!offline.stdout.contains("the tag is not"), "{offline:?}");
}
