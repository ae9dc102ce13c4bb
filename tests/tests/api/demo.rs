//! The demo, as README's first command runs it.

use keyferry_tests::{binary, run};

#[tokio::test]
async fn the_demo_runs_and_every_step_is_as_expected() {
    let plugins = binary::plugins().display().to_string();
    let output = run(["demo", "--once", "--plugins", &plugins]).await;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        r#"{"success":true,"message":"Token migrated successfully"}"#,
        "getaddrinfo ENOTFOUND your-account.suitetalk.api.netsuite.com",
        "token_revoked",
        "no credential lies there in plain",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
}
