//! Data left in memory: no secret once its request is over, keys in locked pages only, and no core file.
//!
//! Reading another process takes root (`CAP_SYS_PTRACE`), since the server makes itself undumpable.
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_tests::leaks::{Canary, Copy, Memory, MemoryError, Searcher};
use keyferry_tests::tools::skip;
use keyferry_tests::{ACCOUNT, ORG, ServerOptions, World, WorldOptions, binary, plugins, run};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The delay of the provider's response, which keeps a request in flight during the search.
const HELD: Duration = Duration::from_millis(1500);
/// Idle connections to providers end at most twice 5 s after their last request; other memory is freed sooner.
const PATIENCE: Duration = Duration::from_secs(20);

fn memory(world: &World) -> Option<Memory> {
    match Memory::of(world.server.pid()) {
        Ok(memory) => Some(memory),
        Err(MemoryError::NotAllowed) => {
            skip("this user may not read the memory of another process");
            None
        }
        Err(MemoryError::Io(error)) => panic!("{error}"),
    }
}

async fn world() -> World {
    let mut providers = MockProviders::start().await.unwrap();
    let provider = |request: keyferry_mock_providers::Received| {
        let sent = format!("{:?} {}", request.headers, request.path_and_query);
        match request.header("x-echo") {
            Some("held") => Reply::json(200, &json!({"id": "1"})).delayed(HELD),
            Some("echo") => {
                Reply::json(401, &json!({"error": sent, "access_token": sent})).with_header("x-echoed", &sent)
            }
            _ => Reply::json(200, &json!({"id": "1"})),
        }
    };
    providers.add("leaky.example.com", provider).await.unwrap();
    let change = |server: &mut ServerOptions| plugins::build("leaky", &server.plugins);
    World::start_with(WorldOptions { providers: Some(providers), server: Some(Box::new(change)) }).await
}

fn body(place: &str, echo: &str, alpha: &str, beta: &str) -> Value {
    let verdict = if echo == "echo" || ["nowhere", "ungranted"].contains(&place) { "rejected" } else { "verified" };
    json!({"slug": "leaky", "auth_object": {"keybased": {
        "place": place, "echo": echo, "verdict": verdict, "alpha": alpha, "beta": beta,
    }}})
}

async fn migrate(world: &World, place: &str, echo: &str, [alpha, beta]: [&Canary; 2]) -> u16 {
    let request = world.migrate_request(&body(place, echo, alpha.value(), beta.value()));
    world.send(request.header("prefer", "account-change=replace")).await.status
}

fn listed(copies: &[Copy]) -> String {
    copies.iter().map(|copy| format!("\n{copy}")).collect()
}

#[tokio::test]
async fn once_requests_are_over_no_copy_of_a_secret_is_left_in_the_servers_memory() {
    let world = world().await;
    let (alpha, beta) = (Canary::new("alpha"), Canary::new("beta"));
    let kept = Canary::new("what came over a connection that is kept");
    let secrets = [&alpha, &beta];
    let api_key = Canary::known("the API key", &world.api_key);
    let searcher = Searcher::new([&alpha, &beta, &kept, &api_key]);
    if memory(&world).is_none() {
        return;
    }

    // During a request its secrets are in memory: the search has to find them.
    let (status, during) = tokio::join!(migrate(&world, "bearer", "held", secrets), async {
        tokio::time::sleep(HELD / 2).await;
        memory(&world).unwrap().search(&searcher)
    });
    assert_eq!(status, 200);
    assert!(during.iter().any(|copy| copy.what == "alpha"), "{}", listed(&during));
    let counted = |copies: &[Copy]| copies.iter().filter(|copy| copy.what != api_key.name()).count();
    println!("while a request is under way: {} copies of its secrets", counted(&during));

    for _ in 0..3 {
        for place in ["bearer", "basic", "header", "query", "path", "form", "json"] {
            assert_eq!(migrate(&world, place, "none", secrets).await, 200, "{place}");
            assert_eq!(migrate(&world, place, "echo", secrets).await, 500, "{place}");
        }
    }
    for place in ["panic", "nowhere", "ungranted"] {
        assert_eq!(migrate(&world, place, "none", secrets).await, 500, "{place}");
    }
    let mut wrong = body("bearer", "none", alpha.value(), beta.value());
    wrong["auth_object"]["keybased"][alpha.value()] = json!([beta.value(), {alpha.value(): 1}]);
    assert_eq!(world.send(world.migrate_request(&wrong)).await.status, 200);
    let broken = wrong.to_string().replace("}}", "}").into_bytes();
    let request = keyferry_tests::http::Request::new("PUT", "/api/v2/public/migrate-token");
    let request = request.header("linked_account_id", ACCOUNT).body("application/json", broken);
    assert_eq!(world.send(request).await.status, 400);
    read_back(&world, &alpha).await;
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    assert_eq!(over(&mut stream, &world, &kept).await, "200");
    println!("right after the last request: {} copies", counted(&memory(&world).unwrap().search(&searcher)));

    let began = Instant::now();
    let left = loop {
        let left = memory(&world).unwrap().search(&searcher);
        if left.is_empty() || began.elapsed() > PATIENCE {
            break left;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    println!("none was left after {:?}, in {} MiB", began.elapsed(), memory(&world).unwrap().bytes() >> 20);
    assert!(left.is_empty(), "{} copies are left:{}", left.len(), listed(&left));
    // The kept connection is still open, and serves.
    assert_eq!(over(&mut stream, &world, &kept).await, "200");
}

/// A stored credential, decrypted and sent to a client that may read it.
async fn read_back(world: &World, secret: &Canary) {
    assert_eq!(migrate(world, "bearer", "none", [secret, secret]).await, 200);
    let data = world.data().display().to_string();
    let create =
        ["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read_credentials", "--data", &data];
    let reader = String::from_utf8(run(create).await.stdout).unwrap();
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/leaky/credentials");
    let request = keyferry_tests::http::Request::new("GET", &path).header("x-api-key", reader.trim());
    let read = request.send(world.server.address()).await;
    assert_eq!(read.json()["auth_object"]["keybased"]["alpha"], json!(secret.value()), "{}", read.text());
}

/// A migration over a persistent connection.
async fn over(stream: &mut TcpStream, world: &World, secret: &Canary) -> String {
    let body = body("bearer", "none", secret.value(), secret.value()).to_string();
    let head = format!(
        "PUT /api/v2/public/migrate-token HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nlinked_account_id: {ACCOUNT}\r\n\
         prefer: account-change=replace\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        world.api_key,
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the connection was closed");
    }
    String::from_utf8_lossy(&answer)["HTTP/1.1 ".len()..][..3].to_owned()
}

#[tokio::test]
async fn keys_are_in_locked_memory_that_is_not_dumped_and_nowhere_else() {
    let mut world = world().await;
    let secrets = [&Canary::new("alpha"), &Canary::new("beta")];
    if memory(&world).is_none() {
        return;
    }
    let text = fs::read_to_string(world.data().join("keyferry.key")).unwrap();
    assert!(world.server.terminate().await.success());
    let (kek, root) = unwrapped_root(&world.data(), text.trim()).await;
    world.server.restart().await;
    assert_eq!(migrate(&world, "bearer", "none", secrets).await, 200);

    let memory = memory(&world).unwrap();
    let places = memory.find(&root);
    assert!(!places.is_empty(), "the root is on the ring, or it was not derived as the server does");
    let smaps = fs::read_to_string(format!("/proc/{}/smaps", world.server.pid())).unwrap();
    for place in &places {
        let flags = flags(&smaps, *place);
        assert!(flags.contains(&"lo") && flags.contains(&"dd"), "a copy of the root at {place:x} is in {flags:?}");
    }
    // The derived keys are kept; the key itself is no longer needed.
    assert_eq!(memory.find(&kek), Vec::<u64>::new(), "the key-encryption key as bytes");
    assert_eq!(memory.find(&text.trim().as_bytes()[..40]), Vec::<u64>::new(), "the key-encryption key as text");
    assert!(!world.server.logs().contains("RLIMIT_MEMLOCK"), "{}", world.server.logs());
}

/// The key-encryption key and the organisation's first root, by an independent implementation: HKDF-SHA256 and
/// AES-256-GCM.
async fn unwrapped_root(data: &Path, key: &str) -> (Vec<u8>, Vec<u8>) {
    use base64::Engine as _;
    use keyferry_store::sled::{SledSettings, SledStore};
    use keyferry_store::{RootStore as _, Store as _};
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use ring::hkdf::{HKDF_SHA256, Salt};

    let store = SledStore::open(SledSettings::new(data.join("store"))).await.unwrap();
    let root = store.roots(&ORG.parse().unwrap()).await.unwrap().remove(0);
    store.close().await.unwrap();
    let kek = base64::engine::general_purpose::STANDARD.decode(key).unwrap();
    let mut wrap = [0; 32];
    let extracted = Salt::new(HKDF_SHA256, &[]).extract(&kek);
    extracted.expand(&[b"keyferry/v1/kek/wrap"], HKDF_SHA256).unwrap().fill(&mut wrap).unwrap();
    let mut associated = Vec::new();
    for part in [&b"keyferry root"[..], &[1, 1], root.kek_id.as_bytes(), ORG.as_bytes(), &root.key_id.to_be_bytes()] {
        associated.extend_from_slice(&(part.len() as u64).to_be_bytes());
        associated.extend_from_slice(part);
    }
    let nonce = Nonce::try_assume_unique_for_key(&root.wrapped[2..14]).unwrap();
    let mut sealed = root.wrapped[14..].to_vec();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &wrap).unwrap());
    let plain = cipher.open_in_place(nonce, Aad::from(associated), &mut sealed).unwrap().to_vec();
    (kek, plain)
}

/// The `VmFlags` of the mapping that holds an address.
fn flags(smaps: &str, address: u64) -> Vec<&str> {
    let mut inside = false;
    for line in smaps.lines() {
        let bounds = line.split_whitespace().next().and_then(|word| word.split_once('-'));
        if let Some((Ok(from), Ok(to))) = bounds.map(|(a, b)| (u64::from_str_radix(a, 16), u64::from_str_radix(b, 16)))
        {
            inside = (from..to).contains(&address);
        }
        if let (true, Some(flags)) = (inside, line.strip_prefix("VmFlags: ")) {
            return flags.split_whitespace().collect();
        }
    }
    Vec::new()
}

/// Restarts the server through a shell: the shell runs `prepare` before it becomes the server.
async fn through_a_shell(world: &mut World, prepare: &str) {
    let script = world.folder().join("started");
    let keyferry = world.folder().join("keyferry");
    // A path that the other user can read.
    if !keyferry.exists() {
        fs::copy(binary::keyferry(), &keyferry).unwrap();
    }
    fs::write(&script, format!("#!/bin/sh\n{prepare} {} \"$@\"\n", keyferry.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    world.server.options_mut().binary = Some(script);
    world.server.restart().await;
}

#[tokio::test]
async fn where_memory_may_not_be_locked_the_log_says_so_once_and_the_server_serves() {
    let mut world = world().await;
    let secrets = [&Canary::new("alpha"), &Canary::new("beta")];
    // Root may lock any amount of memory, so it has to drop that right.
    let is_root = rustix::process::getuid().is_root();
    if is_root && Command::new("setpriv").arg("--version").output().is_err() {
        return skip("setpriv is not installed");
    }
    let exec = if is_root { "exec setpriv --bounding-set=-ipc_lock" } else { "exec" };
    through_a_shell(&mut world, &format!("ulimit -l 0\n{exec}")).await;
    for _ in 0..3 {
        assert_eq!(migrate(&world, "bearer", "none", secrets).await, 200);
    }
    let logs = world.server.logs();
    let warnings: Vec<_> = logs.lines().filter(|line| line.contains("could not be locked in memory")).collect();
    assert_eq!(warnings.len(), 1, "{logs}");
    assert!(warnings[0].contains("WARN") && warnings[0].contains("LimitMEMLOCK="), "{warnings:?}");
}

#[tokio::test]
async fn a_crash_leaves_no_core_file_and_other_processes_of_its_user_may_not_look_into_it() {
    let cores = tempfile::tempdir().unwrap();
    let prepare = format!("cd {}\nulimit -c unlimited", cores.path().display());
    // The control: a process without protection leaves a core file on this machine.
    let control = Command::new("sh").args(["-c", &format!("{prepare}\nkill -SEGV $$")]).stderr(Stdio::null()).status();
    let leaves_one = !control.unwrap().success() && !files(cores.path()).is_empty();
    if !leaves_one {
        // Not a reason to skip the rest: the limits are visible in any case.
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
        println!("here no process leaves a core file in its folder (core_pattern {})", pattern.trim());
    }
    files(cores.path()).iter().for_each(|file| fs::remove_file(file).unwrap());

    let mut world = world().await;
    for signal in [Signal::ABORT, Signal::SEGV] {
        through_a_shell(&mut world, &format!("{prepare}\nexec")).await;
        let pid = world.server.pid();
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core: Vec<_> =
            limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "{core:?}");
        let pid = Pid::from_raw(pid as i32).unwrap();
        kill_process(pid, signal).unwrap();
        if signal == Signal::SEGV {
            // The first fault runs the handlers of the runtime, which then step aside: a real fault would occur again
            // at once.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let _gone = kill_process(pid, signal);
        }
        let status = world.server.wait().await;
        assert!(!status.success() && format!("{status}").contains("signal"), "{status}");
        assert!(!format!("{status}").contains("core dumped"), "{status}");
        assert_eq!(files(cores.path()), Vec::<PathBuf>::new(), "a core file after {signal:?}");
    }

    if !rustix::process::getuid().is_root() {
        return skip("only root can start a server as another user");
    }
    // The server of another user: the files that the kernel shows to that user tell whether it is dumpable.
    let owned = Command::new("chown").args(["-R", "65534:65534"]).arg(world.folder()).status().unwrap();
    assert!(owned.success());
    let nobody = "exec setpriv --reuid=65534 --regid=65534 --clear-groups";
    through_a_shell(&mut world, &format!("ulimit -l unlimited\n{nobody}")).await;
    let owner = |pid: u32| fs::metadata(format!("/proc/{pid}/coredump_filter")).unwrap().uid();
    let mut sleeper = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "60"])
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while owner(sleeper.id()) != 65534 {
        assert!(Instant::now() < deadline, "an ordinary process is its user's own");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(owner(world.server.pid()), 0, "the files of an undumpable process are root's");
    for file in ["mem", "environ", "maps"] {
        let read = |pid: u32| {
            let path = format!("/proc/{pid}/{file}");
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "head", "-c0", &path]);
            command.stderr(Stdio::null()).status().unwrap().success()
        };
        assert!(read(sleeper.id()), "a process of the same user can be looked into: {file}");
        assert!(!read(world.server.pid()), "{file} of the server can be read by its user");
    }
    let _ = sleeper.kill();
    let _ = sleeper.wait();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
