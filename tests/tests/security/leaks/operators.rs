//! The output for operators: the socket, limits, a full disk, and commands.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use keyferry_tests::{ORG, run};
use serde_json::json;

use super::hunt::Hunt;

/// The responses of the operator's socket.
pub(super) async fn operator_sees(hunt: &mut Hunt) {
    let socket = hunt.world.data().join("admin.sock");
    let org = format!("/admin/v1/organisations/{ORG}");
    let paths = ["/admin/v1/plugins", "/admin/v1/plugins/leaky", &format!("{org}/api-keys"), &format!("{org}/keys")];
    let more = [
        "/admin/v1/organisations".to_owned(),
        format!("{org}/audit"),
        format!("{org}/audit/verify"),
        format!("{org}/nothing"),
    ];
    for path in paths.into_iter().chain(more.iter().map(String::as_str)) {
        let mut stream = UnixStream::connect(&socket).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200") || path.ends_with("nothing"), "{path}");
        hunt.seen.add(format!("the socket's answer to {path}"), answer);
    }
}

/// 429 of the server itself, and 507 where there is a disk to fill.
pub(super) async fn too_many(hunt: &mut Hunt) {
    hunt.world.server.options_mut().arguments.extend(["--rate-limit".to_owned(), "1".to_owned()]);
    hunt.world.server.restart().await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(hunt.migrate("bearer", "none", "verified").await);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    hunt.world.server.options_mut().arguments.truncate(4);
    hunt.world.server.restart().await;
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = keyferry_tests::SmallDisk::mount(folder.path(), "256m") else { return };
    assert!(hunt.world.server.terminate().await.success());
    let (former, small) = (hunt.world.data(), folder.path().join("data"));
    let copied = std::process::Command::new("cp").arg("-a").arg(&former).arg(&small).output().unwrap();
    assert!(copied.status.success());
    hunt.world.server.options_mut().data = small.clone();
    hunt.world.server.restart().await;
    let hoard = folder.path().join("hoard");
    let _full = std::process::Command::new("dd")
        .args(["if=/dev/zero", "bs=1M"])
        .arg(format!("of={}", hoard.display()))
        .output();
    let mut status = 0;
    for _ in 0..100 {
        status = hunt.migrate("bearer", "none", "verified").await;
        if status == 507 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, 507);
    assert!(hunt.world.server.terminate().await.success());
    std::fs::remove_file(hoard).unwrap();
    hunt.seen.folder(&small, "keyferry.key");
    hunt.world.server.options_mut().data = former;
    hunt.world.server.restart().await;
}

/// The commands, and their errors.
pub(super) async fn commands_say(hunt: &mut Hunt) {
    let (data, plugins) = (hunt.world.data().display().to_string(), hunt.world.plugins());
    let file = hunt.world.folder().join("auth.json");
    let wasm = plugins.join("leaky.wasm").display().to_string();
    let at = |command: &[&str], rest: &[&str]| -> Vec<String> {
        command.iter().chain(rest).map(|word| (*word).to_owned()).collect()
    };
    let listed = plugins.display().to_string();
    for command in [
        at(&["audit", "export", "--org", ORG], &["--data", &data]),
        at(&["audit", "verify", "--org", ORG], &["--data", &data]),
        at(&["api-key", "list", "--org", ORG], &["--data", &data]),
        at(&["key", "list", "--org", ORG], &["--data", &data]),
        at(&["plugin", "list", "--json"], &["--data", &data, "--plugins", &listed]),
    ] {
        let output = run(&command).await;
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        hunt.seen.add(format!("{command:?}"), [output.stdout, output.stderr].concat());
    }
    let unknown = hunt.canary("a key to revoke");
    let output = run(["api-key", "revoke", &unknown, "--org", ORG, "--data", &data]).await;
    assert!(!output.status.success());
    hunt.seen.add("revoking what is no key", [output.stdout, output.stderr].concat());

    let address = hunt.world.providers.address_of("leaky.example.com").unwrap();
    let ca = hunt.world.folder().join("ca.pem").display().to_string();
    let unreachable = "https://127.0.0.1:1".to_owned();
    let mut wrong = hunt.leaky("bearer", "none", "verified");
    let name = hunt.canary("a field's name in a file");
    wrong["keybased"][name.as_str()] = json!("x");
    let cases = [
        (hunt.leaky("header", "none", "verified").to_string(), format!("https://{address}")),
        (hunt.leaky("header", "json raw", "rejected").to_string(), format!("https://{address}")),
        (hunt.leaky("query", "no-http raw", "unexpected").to_string(), format!("https://{address}")),
        (hunt.leaky("query", "none", "panic").to_string(), format!("https://{address}")),
        (hunt.leaky("query", "none", "verified").to_string(), unreachable.clone()),
        (wrong.to_string(), unreachable.clone()),
        (format!("{{\"keybased\": {{\"alpha\": \"{}", name.replace('"', "")), unreachable.clone()),
        (name.clone(), unreachable),
    ];
    for (credential, provider) in cases {
        std::fs::write(&file, credential).unwrap();
        let output =
            run(["plugin", "call", &wasm, "--auth-object", &path(&file), "--provider", &provider, "--egress-ca", &ca])
                .await;
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty());
        hunt.seen.add("what `plugin call` prints", [output.stdout, output.stderr].concat());
    }
    std::fs::remove_file(file).unwrap();
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
