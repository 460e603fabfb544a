//! Tests in namespaces of their own: networks, mounts and processes that nobody else sees, and that end with the test.
//!
//! They need root and `unshare` and `ip`. Without them they fail, unless `KV_WITHOUT_NAMESPACES=1` leaves them out.

use std::process::Command;

const INSIDE: &str = "KV_INSIDE_NAMESPACES";
const WITHOUT: &str = "KV_WITHOUT_NAMESPACES";
const UNSHARE: [&str; 6] = [
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

/// Runs the body of the test of this name in namespaces: this process runs itself again in them, for this one test.
pub(crate) fn isolated<F: Future<Output = ()>>(test: &str, body: impl FnOnce() -> F) {
    if std::env::var_os(INSIDE).is_some() {
        run(&["ip", "link", "set", "lo", "up"]);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(body());
        return;
    }
    let possible = Command::new("unshare").args(UNSHARE).arg("true").status();
    if !possible.is_ok_and(|status| status.success()) {
        assert!(
            std::env::var_os(WITHOUT).is_some(),
            "{test} needs namespaces, which root may make; {WITHOUT}=1 leaves it out"
        );
        eprintln!("{test} is left out: {WITHOUT} is set");
        return;
    }
    let output = Command::new("unshare")
        .args(UNSHARE)
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    eprintln!("{err}");
    assert!(
        output.status.success() && out.contains("1 passed"),
        "inside of the namespaces: {out}"
    );
}

/// Runs a command that must succeed.
pub(crate) fn run(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}
