//! Addresses of databases, and the files with their passwords.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use keyferry_test_postgres::{Cluster, PASSWORD, USER_WITH_PASSWORD};

use super::{PostgresSettings, PostgresStore, open, refusal};

#[tokio::test]
async fn a_password_comes_from_a_file_and_shows_nowhere() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let folder = tempfile::tempdir().unwrap();
    let (alone, lines) = (folder.path().join("password"), folder.path().join("pgpass"));
    let escaped = PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    let line = |password: &str| format!("localhost:5432:*:{USER_WITH_PASSWORD}:{password}\n");
    let url = database.url_of(USER_WITH_PASSWORD);
    let asking = |password_file: Option<&Path>, passfile: Option<&Path>| {
        let mut settings: PostgresSettings = url.parse().unwrap();
        settings.password_file = password_file.map(Path::to_owned);
        settings.default_passfile = passfile.map(Path::to_owned);
        settings
    };
    let write = |file: &Path, content: &str, mode: u32| {
        std::fs::write(file, content).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let private = |content: &str, mode: u32| write(&lines, content, mode);
    write(&alone, &format!("{PASSWORD}\n"), 0o600);
    drop(PostgresStore::open(asking(Some(&alone), None)).await.unwrap());
    private(&line(&escaped), 0o600);
    drop(PostgresStore::open(asking(None, Some(&lines))).await.unwrap());
    let named = format!("{url}&passfile={}", lines.display());
    drop(open(&named).await);

    private(&line(&escaped), 0o644);
    let exposed = refusal(asking(None, Some(&lines))).await;
    assert!(exposed.contains("chmod 600"), "{exposed}");
    write(&alone, &format!("{PASSWORD}\n"), 0o640);
    let exposed_too = refusal(asking(Some(&alone), None)).await;
    assert!(exposed_too.contains("password can be read by others: chmod 600 it"), "{exposed_too}");
    private(&line("wr0ng"), 0o600);
    let wrong = refusal(asking(None, Some(&lines))).await;
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let missing = refusal(asking(None, None)).await;
    assert!(missing.contains("password"), "{missing}");
    let gone = refusal(asking(Some(&folder.path().join("gone")), None)).await;
    assert!(gone.contains("gone"), "{gone}");
    for said in [exposed, exposed_too, wrong, missing, gone] {
        assert!(!said.contains("p4ss") && !said.contains("wr0ng"), "{said}");
        assert!(said.starts_with(&format!("cannot use the database postgres://{USER_WITH_PASSWORD}@")), "{said}");
    }
}

#[tokio::test]
async fn each_wrong_part_of_an_address_has_a_message_of_its_own() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = cluster.folder().display();
    for (url, expected) in [
        (format!("postgres://keyferry@/missing?host={folder}"), "database \"missing\" does not exist"),
        (format!("postgres://missing@/{}?host={folder}", database.name), "role \"missing\" does not exist"),
        (format!("postgres://keyferry@{free}/k"), "Connection refused"),
        ("postgres://keyferry@missing.invalid/k".to_owned(), "lookup"),
        (format!("postgres://keyferry@/k?host={folder}/missing"), "No such file"),
    ] {
        let mut settings: PostgresSettings = url.parse().unwrap();
        settings.patience = Duration::ZERO;
        let said = refusal(settings).await;
        assert!(said.contains(expected), "{url}: {said}");
    }
}
