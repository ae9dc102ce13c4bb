//! Settings: flags before variables before `keyferry.toml` before defaults, and a command that reports the effective
//! values and their sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use keyferry_tests::http::get;
use keyferry_tests::{ORG, World, WorldOptions, binary};
use serde_json::{Value, json};

/// A user's working folder.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(config: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = config {
            std::fs::write(folder.path().join("keyferry.toml"), text).unwrap();
        }
        Self(folder)
    }

    fn keyferry(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = binary::command(binary::keyferry());
        command.args(arguments).envs(environment.iter().copied()).current_dir(self.0.path()).output().unwrap()
    }

    /// The settings from `config check --json`, and its exit status.
    fn check(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (BTreeMap<String, Value>, Output) {
        let output = self.keyferry(&[&["config", "check", "--json"], arguments].concat(), environment);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let settings = said["settings"].as_array().cloned().unwrap_or_default();
        (settings.into_iter().map(|held| (held["setting"].as_str().unwrap().to_owned(), held)).collect(), output)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn each_value_is_told_with_where_it_comes_from() {
    let config = "# ours\nlisten = \"127.0.0.1:1\"\nrate-limit = 1\nrate-burst = 1\ndev = true\n\n[http]\nhead-seconds = 1\n\
                  idle-seconds = 1\n[sandbox]\nslots = 1\n";
    let desk = Desk::new(Some(config));
    let environment =
        [("KEYFERRY_LISTEN", "127.0.0.1:2"), ("KEYFERRY_RATE_LIMIT", "2"), ("KEYFERRY_HTTP_HEAD_SECONDS", "2")];
    let flags = ["--listen", "127.0.0.1:3", "--http-head-seconds=3", "--dev=false"];
    let (held, output) = desk.check(&flags, &environment);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = |line: u64| json!({"kind": "file", "path": "keyferry.toml", "line": line});
    let flag = |name: &str| json!({"kind": "flag", "name": name});
    for (setting, value, from) in [
        ("listen", "127.0.0.1:3", flag("listen")),
        ("http.head-seconds", "3", flag("http-head-seconds")),
        ("dev", "false", flag("dev")),
        ("rate-limit", "2", json!({"kind": "variable", "name": "KEYFERRY_RATE_LIMIT"})),
        ("rate-burst", "1", file(4)),
        ("http.idle-seconds", "1", file(9)),
        ("sandbox.slots", "1", file(11)),
        ("sandbox.queue", "1024", json!({"kind": "default"})),
        ("log-format", "text", json!({"kind": "default"})),
    ] {
        assert_eq!((&held[setting]["values"], &held[setting]["from"]), (&json!([value]), &from), "{setting}");
    }
    assert_eq!(held["data"]["meaning"], json!("./keyferry-data"));
    assert!(!desk.0.path().join("keyferry-data").exists(), "the command creates nothing");

    let table = desk.keyferry(&["config", "check"], &[]);
    let shown = text(&table.stdout);
    for expected in ["keyferry.toml:2", "127.0.0.1:1", "(./keyferry-data)", "http.idle-seconds"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(text(&table.stderr).contains("settings were read from keyferry.toml"));
    let none = Desk::new(None).keyferry(&["config", "check"], &[]);
    assert!(text(&none.stderr).contains("no settings file was read"));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_nothing_is_started() {
    let none: [&str; 0] = [];
    for (config, flags, environment, expected) in [
        (
            "listne = \"127.0.0.1:1\"\n",
            &none[..],
            None,
            "keyferry.toml:1: there is no setting listne; is listen meant?",
        ),
        (
            "[http]\nidle = 1\n",
            &none,
            None,
            "keyferry.toml:2: there is no setting http.idle; is idle-seconds in [http]",
        ),
        ("\nrate-limit = 0\n", &none, None, "keyferry.toml:2: rate-limit: it must be a whole number of 1 or more"),
        ("vault-token = \"hunter2\"\n", &none, None, "keyferry.toml:1: there is no setting vault-token"),
        ("key-file = \"hunter2\n", &none, None, "keyferry.toml:1: this is no TOML"),
        ("", &["--listen=nowhere"], None, "invalid value 'nowhere' for '--listen <IP:PORT>'"),
        ("", &none, Some(("KEYFERRY_LISTEN", "nowhere")), "invalid value 'nowhere' for '--listen <IP:PORT>'"),
        ("", &["--listen=127.0.0.1"], None, "the port is missing: it must be an IP address and a port, such as"),
        ("", &["--listen=:8700"], None, "it does not say on which addresses"),
        ("metrics-listen = \"http://127.0.0.1:1\"\n", &none, None, "keyferry.toml:1: metrics-listen: it must be an IP"),
        ("listen = 70000\n", &none, None, "keyferry.toml:1: listen: a port is a number from 0 to 65535"),
        ("", &["--rate-limit=10s"], None, "'--rate-limit <N>': it must be a whole number of 1 or more"),
        ("max-connections = 0\n", &none, None, "keyferry.toml:1: max-connections: it must be a whole number of 1 or"),
        ("", &["--config=missing.toml"], None, "cannot read missing.toml"),
        ("tls-cert = \"a.pem\"\n", &none, None, "tls-cert is set and tls-key is not"),
        ("tls-cert = \"a.pem\"\ntls-key = \"b.pem\"\n", &none, None, "a.pem"),
        ("egress-ca = \"a.pem\"\n", &none, None, "a.pem"),
        ("otlp-endpoint = \"http://127.0.0.1:1\"\notlp-ca = \"a.pem\"\n", &none, None, "a.pem"),
        (
            "otlp-endpoint = \"http://me:hunter2@c\"\n",
            &none,
            None,
            "keyferry.toml:1: otlp-endpoint: a collector is given",
        ),
        ("key-file = \"a\"\n", &["--key-env=B"], None, "key-file and key-env are set"),
        ("cors-origin = [\"https://a.example\", \"*\"]\n", &none, None, "keyferry.toml:1: cors-origin: an origin is"),
        ("log-filter = \"keyferry=loud\"\n", &none, None, "keyferry.toml:1: log-filter: it is not a log filter"),
    ] {
        let desk = Desk::new(Some(config));
        for command in [&["config", "check"][..], &["serve", "--data=data"]] {
            let given: Vec<(&str, &str)> = environment.into_iter().collect();
            let output = desk.keyferry(&[command, flags].concat(), &given);
            let said = text(&output.stderr);
            assert!(!output.status.success() && said.contains(expected), "{command:?} {config}: {said}");
            assert!(!format!("{said}{}", text(&output.stdout)).contains("hunter2"), "{said}");
        }
        // A wrong flag is an error in the same form as in all commands, with exit code 2.
        let json: Vec<(&str, &str)> = [("KEYFERRY_LOG_FORMAT", "json")].into_iter().chain(environment).collect();
        let output = desk.keyferry(&[&["serve", "--data=data"][..], flags].concat(), &json);
        if output.status.code() == Some(1) {
            let lines = text(&output.stderr);
            let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let last = lines.last().unwrap()["fields"]["message"].as_str().unwrap();
            assert!(last.contains(expected), "{config}: {lines:?}");
        }
    }
}

#[test]
fn what_works_and_is_probably_not_meant_is_a_warning() {
    let none: [(&str, &str); 0] = [];
    for (flags, environment, warnings) in [
        (&["--listen=localhost:8700"][..], &none[..], &[][..]),
        (&["--listen=8700", "--metrics-listen=9464"], &[("KEYFERRY_RATE_LIMIT", "5")], &[]),
        (&["--key-env=KEYFERRY_KEK"], &[("KEYFERRY_KEK", "hunter2")], &[]),
        (&["--listen=0.0.0.0:8700"], &none, &["listen is 0.0.0.0:8700, beyond this machine, and tls-cert is not set"]),
        (
            &[],
            &[("KEYFERRY_LISTNE", "hunter2"), ("KEYFERRY_OF_OURS", "hunter2")],
            &[
                "KEYFERRY_LISTNE is set, and Keyferry has no such variable; is KEYFERRY_LISTEN meant?",
                "KEYFERRY_OF_OURS is set, and Keyferry has no such variable; `keyferry config example` names",
            ],
        ),
    ] {
        let said = text(&Desk::new(None).keyferry(&[&["config", "check"], flags].concat(), environment).stderr);
        let told: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("warning: ")).collect();
        assert_eq!(told.len(), warnings.len(), "{flags:?}: {said}");
        for (told, expected) in told.iter().zip(warnings) {
            assert!(told.starts_with(expected), "{flags:?}: {said}");
        }
        assert!(!said.contains("hunter2"), "{said}");
    }
    // Commands without settings report only misspelled variables: any other variable can belong to the user's own
    // scripts.
    let variables = [("KEYFERRY_SERVRE", "127.0.0.1:1"), ("KEYFERRY_OF_OURS", "1")];
    let said = text(&Desk::new(None).keyferry(&["imports", "list"], &variables).stderr);
    assert!(said.contains("is KEYFERRY_SERVER meant?") && !said.contains("KEYFERRY_OF_OURS"), "{said}");
}

/// One run reports all errors.
#[test]
fn a_file_is_mended_in_one_go() {
    let desk = Desk::new(Some("a = 1\nb = 2\nrate-limit = \"x\"\n"));
    let said = text(&desk.keyferry(&["api-key", "list", "--org", "acme"], &[]).stderr);
    for line in ["keyferry.toml:1: ", "keyferry.toml:2: ", "keyferry.toml:3: "] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn secrets_are_masked() {
    let desk = Desk::new(Some("key-env = \"MY_KEK\"\n"));
    let secrets = [("MY_KEK", "hunter2"), ("VAULT_TOKEN", "hunter3")];
    let (held, output) = desk.check(&[], &secrets);
    for (name, secret) in secrets {
        assert_eq!(held[name]["values"], json!(["***"]), "{name} is shown as set");
        let said =
            text(&output.stdout) + &text(&output.stderr) + &text(&desk.keyferry(&["config", "check"], &secrets).stdout);
        assert!(!said.contains(secret), "{said}");
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/keyferry.example.toml")
}

/// With `KEYFERRY_WRITE_EXAMPLES` set, the file is rewritten.
#[test]
fn the_example_has_every_setting_at_its_default() {
    let desk = Desk::new(None);
    let printed = text(&desk.keyferry(&["config", "example"], &[]).stdout);
    if std::env::var_os("KEYFERRY_WRITE_EXAMPLES").is_some() {
        std::fs::write(example(), &printed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(example()).unwrap(), printed, "KEYFERRY_WRITE_EXAMPLES=1 writes it anew");

    let (defaults, _) = desk.check(&[], &[]);
    let (mut table, mut uncommented, mut seen) = (String::new(), String::new(), 0);
    for line in printed.lines() {
        if line.starts_with('[') {
            table = format!("{}.", line.trim_matches(['[', ']']));
        }
        let Some((key, _)) =
            line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).and_then(|l| l.split_once(" = "))
        else {
            uncommented += &format!("{line}\n");
            continue;
        };
        let held = &defaults[&format!("{table}{key}")];
        seen += 1;
        let has_default = held["values"].as_array().is_some_and(|values| !values.is_empty());
        uncommented += if has_default { line.trim_start_matches('#') } else { line };
        uncommented += "\n";
    }
    assert_eq!(seen, defaults.len(), "the example has all settings");
    let (set, output) = Desk::new(Some(&uncommented)).check(&[], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (setting, held) in &set {
        let default = &defaults[setting]["values"];
        assert_eq!(&held["values"], default, "{setting}");
        let expected = if default == &json!([]) { "default" } else { "file" };
        assert_eq!(held["from"]["kind"], json!(expected), "{setting}");
    }
}

/// The server uses the values of the file and reports them, and the operator's commands find the server with the same
/// file.
#[tokio::test]
async fn a_server_and_the_commands_beside_it_are_set_by_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("keyferry.toml");
    let named = config.display().to_string();
    let path = named.clone();
    let change = move |server: &mut keyferry_tests::ServerOptions| {
        let text = format!(
            "data = {:?}\nmetrics-listen = \"127.0.0.1:0\"\nlog-format = \"json\"\n[http]\nidle-seconds = 9\n",
            server.data.display().to_string()
        );
        std::fs::write(&path, text).unwrap();
        server.environment.push(("KEYFERRY_CONFIG".to_owned(), path));
    };
    let world = World::start_with(WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() }).await;
    let logs = world.server.logs();
    assert!(logs.contains("settings were read from a file") && logs.contains(&named), "{logs}");
    let page = get(world.server.metrics_address(), "/metrics").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("http_server_request_duration_seconds_count"), "{}", page.text());

    let mut command = binary::command(binary::keyferry());
    let listed = command.args(["api-key", "list", "--org", ORG, "--json"]).current_dir(folder.path()).output().unwrap();
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&listed.stdout).unwrap().as_array().unwrap().len(), 1);
    assert!(!folder.path().join("keyferry-data").exists(), "no other data folder was made");
}

#[test]
fn a_pipe_a_device_or_a_folder_in_place_of_a_file_is_told_by_name_and_waited_for_by_nobody() {
    let desk = Desk::new(None);
    let at = |name: &str| desk.0.path().join(name).display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    std::fs::create_dir(at("folder")).unwrap();
    std::fs::write(at("large"), vec![b'#'; 20 << 20]).unwrap();
    let pipe = at("pipe");
    let otlp = "http://127.0.0.1:9";
    let began = std::time::Instant::now();
    for (arguments, expected) in [
        (vec!["--config", "/dev/zero"], "/dev/zero: it is a device"),
        (vec!["--config", "folder"], "folder: it is a folder"),
        (vec!["--config", "large"], "large: it has more than"),
        (vec!["--key-file", &pipe], "it is a FIFO (named pipe)"),
        (vec!["--lock", &pipe], "it is a FIFO (named pipe)"),
        (vec!["--tls-cert", &pipe, "--tls-key", &pipe], "pipe cannot be read: it is a FIFO (named pipe)"),
        (vec!["--egress-ca", &pipe], "it is a FIFO (named pipe)"),
        (vec!["--admin-listen", "127.0.0.1:0", "--admin-token-file", &pipe], "it is a FIFO (named pipe)"),
        (vec!["--otlp-endpoint", otlp, "--otlp-headers-file", &pipe], "it is a FIFO (named pipe)"),
    ] {
        let output = desk.keyferry(&[&["config", "check"], arguments.as_slice()].concat(), &[]);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
    let kms = ["--key-kms", "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"];
    let transit = ["--key-transit", "https://127.0.0.1:9/v1/transit/keys/a"];
    let no_environment: &[(&str, &str)] = &[];
    for (arguments, environment) in [
        (kms.to_vec(), &[("AWS_CONFIG_FILE", pipe.as_str())][..]),
        (kms.to_vec(), &[("AWS_SHARED_CREDENTIALS_FILE", &pipe)]),
        (kms.to_vec(), &[("AWS_WEB_IDENTITY_TOKEN_FILE", &pipe)]),
        ([&kms[..], &["--key-ca", &pipe]].concat(), no_environment),
        ([&transit[..], &["--key-ca", &pipe]].concat(), no_environment),
    ] {
        let output = desk.keyferry(&[&["config", "check"], arguments.as_slice()].concat(), environment);
        let said = text(&output.stderr);
        let is_told = said.contains(&pipe) && said.contains("it is a FIFO (named pipe)");
        assert!(!output.status.success() && is_told, "{arguments:?} {environment:?}: {said}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(90), "something was waited for");
}
