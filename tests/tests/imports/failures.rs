//! Failed rows, which `keyferry import` writes to a file for correction and a second import.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::command::{file, run, secret};
use super::shop::{Shop, good, ndjson, row};

const CREATE: [&str; 2] = ["import", "--create-accounts"];

/// Imports a file. Returns the command's exit code and its messages.
async fn import(shop: &Shop, options: &[&str], path: &str) -> (Option<i32>, String) {
    let ran = run(shop, &[&CREATE[..], options, &[path]].concat()).await;
    (ran.code, format!("{}\n{}", ran.out, ran.err))
}

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn nango(account: &str, key: &str) -> Value {
    json!({
        "connection_id": account, "provider": "stripe", "provider_config_key": "stripe-prod",
        "credentials": {"type": "API_KEY", "apiKey": key}, "connection_config": {"region": "eu"}, "metadata": {"n": 1.50},
    })
}

#[tokio::test]
async fn failed_rows_keep_the_form_of_their_file_and_are_imported_again() {
    let shop = Shop::open(&[]).await;
    let csv = |n: u32| {
        format!(
            "\u{feff}sep=;\r\nApp;Customer;Auth Type;API Key;note\r\nstripe;good_{n};keybased;sk_test_ok_good_{n};=1+1\r\n;;;;\r\n\
             stripe;bad_{n};keybased;WRONG;=1+1\r\n"
        )
    };
    let rows = |n: u32| [good(&format!("good_{n}")), row(&format!("bad_{n}"), "WRONG")];
    let pretty = serde_json::to_string_pretty(&json!(rows(3))).unwrap();
    let listed = json!({"connections": [nango("good_4", "sk_test_ok_good_4"), nango("bad_4", "WRONG")]}).to_string();
    let flat = |n: u32| {
        let row = |account: &str, key: &str| json!({"customer": account, "slug": "Stripe", "auth_type": "KeyBased", "API Key": key});
        ndjson(&[row(&format!("good_{n}"), &format!("sk_test_ok_good_{n}")), row(&format!("bad_{n}"), "WRONG")])
    };
    let zstd =
        ruzstd::encoding::compress_to_vec(ndjson(&rows(7)).as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let map = ["--map", "customer=linked_account_id", "--map", "app=slug", "--map", "note="];
    let cases: [(&str, Vec<u8>, &[&str], &str); 7] = [
        ("1.csv", csv(1).into_bytes(), &map, "csv"),
        ("2.ndjson", ndjson(&rows(2)).into_bytes(), &[], "ndjson"),
        ("3.json", pretty.into_bytes(), &[], "json"),
        ("4.json", listed.into_bytes(), &["--from", "nango"], "json"),
        ("5.csv.gz", gzip(&csv(5)), &map, "csv"),
        ("6.jsonl", flat(6).into_bytes(), &["--from", "csv-flat", "--map", "customer=linked_account_id"], "ndjson"),
        ("7.ndjson.zst", zstd, &[], "ndjson"),
    ];
    for (n, (name, content, options, form)) in cases.into_iter().enumerate() {
        let path = shop.world.folder().join(name).display().to_string();
        fs::write(&path, content).unwrap();
        let (code, said) = import(&shop, options, &path).await;
        assert_eq!(code, Some(3), "{name}: {said}");
        let failures = format!("{path}.failures.{form}");
        assert!(said.contains(&failures), "{name}: {said}");
        assert_eq!(fs::metadata(&failures).unwrap().permissions().mode() & 0o777, 0o600);
        let written = fs::read_to_string(&failures).unwrap();
        let account = format!("bad_{}", n + 1);
        for part in [&account, "WRONG", "keyferry_code", "keyferry_detail", "keyferry_line", "keyferry_row"] {
            assert!(written.contains(part), "{name}, {part}: {written}");
        }
        assert!(!written.contains("sk_test_ok_good"), "{name}: only what failed: {written}");
        fs::write(&failures, written.replace("WRONG", &format!("sk_test_ok_{account}"))).unwrap();
        let (code, said) = import(&shop, options, &failures).await;
        assert_eq!(code, Some(0), "{name}: {said}\n{written}");
        assert_eq!(shop.stored(&account, "stripe", "api_key").await, Some(format!("sk_test_ok_{account}")));
    }
    let written = fs::read_to_string(shop.world.folder().join("1.csv.failures.csv")).unwrap();
    let header = "App;Customer;Auth Type;API Key;note;keyferry_row;keyferry_line;keyferry_code;keyferry_detail;keyferry_fields;keyferry_warnings";
    assert_eq!(written.lines().next(), Some(header));
    assert!(written.contains(";'=1+1;2;5;"), "a formula is made harmless: {written}");
    let written = fs::read_to_string(shop.world.folder().join("4.json.failures.json")).unwrap();
    assert!(written.contains("\"n\":1.5") && written.contains("\"apiKey\""), "the shape of the source: {written}");
}

#[tokio::test]
async fn values_that_begin_like_formulas_survive_the_way_through_a_file_of_failed_rows() {
    let shop = Shop::open(&[]).await;
    let names = ["=2+5", "+49 30", "-7", "@home", "'=quoted", "''-x", "'plain", "\t tab", " =blank", "＝wide", "x=1"];
    let rows: String =
        names.iter().enumerate().map(|(n, name)| format!("acc_{n},stripe,keybased,WRONG,\"{name}\"\n")).collect();
    let path = file(&shop, "rows.csv", &format!("linked_account_id,slug,auth_type,api_key,account_name\n{rows}"));
    // Twice, to check that the protection against formulas is not applied twice.
    let (code, said) = import(&shop, &[], &path).await;
    assert_eq!(code, Some(3), "{said}");
    let (code, said) = import(&shop, &[], &format!("{path}.failures.csv")).await;
    assert_eq!(code, Some(3), "{said}");
    let failures = format!("{path}.failures.csv.failures.csv");
    let mut corrected = fs::read_to_string(&failures).unwrap();
    for cell in corrected.split(['\n', ',']) {
        let cell = cell.trim_start_matches('"').trim_start();
        assert!(!cell.starts_with(['=', '+', '-', '@', '＝']), "{cell}: {corrected}");
    }
    for n in 0..names.len() {
        corrected = corrected.replacen(
            &format!("acc_{n},stripe,keybased,WRONG"),
            &format!("acc_{n},stripe,keybased,sk_test_ok_acc_{n}"),
            1,
        );
    }
    fs::write(&failures, corrected).unwrap();
    let (code, said) = import(&shop, &[], &failures).await;
    assert!(code == Some(0) || said.contains("invalid_value"), "{said}");
    for (n, name) in names.iter().enumerate().filter(|(_, name)| !name.contains('\t')) {
        let account = shop.account(&format!("acc_{n}")).await.unwrap().to_string();
        let name = serde_json::to_string(name.trim()).unwrap();
        assert!(account.contains(&name), "{name}: {account}");
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_kept_with_what_is_wrong() {
    let shop = Shop::open(&[]).await;
    let lines = format!("{}\n{{\"linked_account_id\":\"user_2\",\"slug\":}}\n[1]\n", good("user_1"));
    let path = file(&shop, "rows.ndjson", &lines);
    let (code, said) = import(&shop, &[], &path).await;
    assert_eq!(code, Some(3), "{said}");
    let failures = format!("{path}.failures.ndjson");
    let written = fs::read_to_string(&failures).unwrap();
    let rows: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["keyferry_source"], "{\"linked_account_id\":\"user_2\",\"slug\":}");
    assert_eq!((&rows[0]["keyferry_code"], &rows[0]["keyferry_line"]), (&json!("invalid_json"), &json!(2)));
    assert_eq!(rows[1]["keyferry_code"], "not_an_object");
    let mut corrected = rows[0].clone();
    corrected["keyferry_source"] = json!(good("user_2").to_string());
    fs::write(&failures, corrected.to_string()).unwrap();
    let (code, said) = import(&shop, &[], &failures).await;
    assert_eq!(code, Some(0), "{said}");

    let csv = "linked_account_id,slug,auth_type,api_key\nuser_3,stripe,keybased,sk_test,ok_user_3\nuser_4,stripe\n\
               user_5,stripe,keybased,\"sk_test_ok_us";
    let path = file(&shop, "rows.csv", csv);
    let (code, said) = import(&shop, &[], &path).await;
    assert_eq!(code, Some(3), "{said}");
    let written = fs::read_to_string(format!("{path}.failures.csv")).unwrap();
    for part in [
        "user_3,stripe,keybased,sk_test,1,2,field_count,",
        ",ok_user_3\n",
        "user_4,stripe,,,2,3,field_count,",
        "user_5,stripe,keybased,,3,4,unclosed_quote,",
    ] {
        assert!(written.contains(part), "{part}: {written}");
    }
}

#[tokio::test]
async fn the_form_of_failed_rows_is_that_of_the_content_whatever_the_file_is_called() {
    let shop = Shop::open(&[]).await;
    let csv = "linked_account_id,slug,auth_type,api_key\nuser_1,stripe,keybased,WRONG\n";
    let rows = ndjson(&[row("user_1", "WRONG")]);
    for (name, content, form) in [("1.json", csv, "csv"), ("2.ndjson", csv, "csv"), ("3.csv", rows.as_str(), "ndjson")]
    {
        let path = file(&shop, name, content);
        let (code, said) = import(&shop, &["--again"], &path).await;
        assert_eq!(code, Some(3), "{name}: {said}");
        assert!(fs::read_to_string(format!("{path}.failures.{form}")).unwrap().contains("WRONG"), "{name}: {said}");
    }
}

#[tokio::test]
async fn the_command_for_the_corrected_file_says_all_that_was_said_for_the_first_one() {
    let shop = Shop::open(&[]).await;
    let path = file(&shop, "a\u{1b}[31m b.csv", "customer,slug,auth_type,api_key\nuser_1,Strype,apikey,WRONG\n");
    let address = format!("http://0.0.0.0:{}", shop.world.server.address().port());
    let options = [
        "--server",
        &address,
        "--map",
        "customer=linked_account_id",
        "--map",
        "slug:Strype=stripe",
        "--map",
        "auth_type:=keybased",
        "--map",
        "datadog/site:=datadoghq.eu",
        "--map",
        "hubspot/access_token:=s3cr3t",
        "--map",
        "auth_type:apikey=keybased",
        "--on-existing",
        "newer",
        "--account-change",
        "replace",
        "--dry-run",
    ];
    let (code, said) = import(&shop, &options, &path).await;
    assert_eq!(code, Some(3), "{said}");
    let next = said.lines().find(|line| line.starts_with("next: ")).unwrap();
    let expected = "next: keyferry import --map customer=linked_account_id --map slug:Strype=stripe --map auth_type:=keybased --map \
                    datadog/site:=datadoghq.eu --map hubspot/access_token:=... --map auth_type:apikey=keybased --on-existing newer \
                    --account-change replace --server ";
    assert!(next.starts_with(expected) && next.contains(&address), "{next}");
    assert!(
        next.contains(" --dry-run --create-accounts $'") && next.ends_with("a\\x1b[31m b.csv.failures.csv'"),
        "{next}"
    );
    assert!(!said.contains('\u{1b}') && !said.contains("s3cr3t"), "{said}");
    // An error of writing names the next step.
    let (code, said) = import(
        &shop,
        &["--again", "--failures", "/nowhere/x\u{1b}y.csv", "--map", "customer=linked_account_id"],
        &path,
    )
    .await;
    assert!(code == Some(1) && said.contains("/nowhere/x\\u{1b}y.csv: "), "{said}");
    assert!(said.contains("name another file by --failures"), "{said}");
}

#[tokio::test]
async fn a_file_of_failed_rows_that_a_person_works_on_is_never_lost() {
    let shop = Shop::open(&[]).await;
    let header = "linked_account_id,slug,auth_type,api_key\n";
    let path = file(&shop, "rows.csv", &format!("{header}user_1,stripe,keybased,sk_test_wrong_1\n"));
    let (failures, second) = (format!("{path}.failures.csv"), format!("{path}.failures.2.csv"));
    let (code, said) = import(&shop, &[], &path).await;
    assert_eq!(code, Some(3), "{said}");
    // Unchanged, the next run replaces it.
    fs::write(&path, format!("{header}user_1,stripe,keybased,sk_test_wrong_2\n")).unwrap();
    let (code, said) = import(&shop, &[], &path).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(fs::read_to_string(&failures).unwrap().contains("sk_test_wrong_2") && !Path::new(&second).exists());
    // Edited, it stays.
    let edited = fs::read_to_string(&failures).unwrap().replace("sk_test_wrong_2", "sk_test_being_typed");
    fs::write(&failures, &edited).unwrap();
    let (code, said) = import(&shop, &["--again"], &path).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&second) && said.contains("is kept"), "{said}");
    assert_eq!(fs::read_to_string(&failures).unwrap(), edited);
    // A run without failures removes an unchanged file.
    fs::write(&path, format!("{header}user_1,stripe,keybased,sk_test_ok_user_1\n")).unwrap();
    let (code, said) = import(&shop, &[], &path).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(Path::new(&failures).exists() && !Path::new(&second).exists() && said.contains("is kept"), "{said}");
    fs::remove_file(&failures).unwrap();
    let (code, said) = import(&shop, &["--again"], &path).await;
    assert!(code == Some(0) && !said.contains("failures"), "{said}");
    // The same for a given name; and the imported file itself is not overwritten.
    let ran = run(&shop, &["import", "--again", "--failures", &path, &path]).await;
    assert!(ran.code == Some(1) && ran.err.contains("name another one"), "{}", ran.err);
    let wrong = file(&shop, "wrong.csv", &format!("{header}user_1,stripe,keybased,sk_test_wrong_3\n"));
    let mine = file(&shop, "mine.csv", "precious\n");
    let (code, said) = import(&shop, &["--failures", &mine], &wrong).await;
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "precious\n");
    assert!(fs::read_to_string(mine.replace("mine.csv", "mine.2.csv")).unwrap().contains("sk_test_wrong_3"));
}

#[tokio::test]
async fn rows_that_only_repeat_another_one_are_left_out() {
    let shop = Shop::open(&[]).await;
    let rows = [
        good("user_1"),
        good("user_1"),
        row("user_1", "sk_test_other"),
        row("nobody", "sk_test_wrong"),
        row("nobody", "sk_test_wrong"),
    ];
    let path = file(&shop, "rows.ndjson", &ndjson(&rows));
    let (code, said) = import(&shop, &[], &path).await;
    assert!(code == Some(3) && said.contains("2 failed rows only repeat"), "{said}");
    let written = fs::read_to_string(format!("{path}.failures.ndjson")).unwrap();
    assert_eq!(written.lines().count(), 2, "{written}");
    assert!(written.contains("sk_test_other") && written.contains("sk_test_wrong"), "{written}");
    let path = file(&shop, "same.ndjson", &ndjson(&[good("user_2"), good("user_2")]));
    let (code, said) = import(&shop, &[], &path).await;
    assert!(code == Some(3) && !Path::new(&format!("{path}.failures.ndjson")).exists(), "{said}");
}

#[tokio::test]
async fn failed_rows_of_an_encrypted_file_are_encrypted_to_the_same_recipient() {
    let shop = Shop::open(&[]).await;
    let (other, identity) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let path = shop.world.folder().join("rows.csv.age").display().to_string();
    let content = "linked_account_id,slug,auth_type,api_key\nuser_1,stripe,keybased,sk_test_wrong\n";
    fs::write(&path, age::encrypt(&identity.to_public(), content.as_bytes()).unwrap()).unwrap();
    let keys = file(&shop, "keys", &format!("{}\n{}\n", secret(&other), secret(&identity)));
    let (code, said) = import(&shop, &["--identity", &keys], &path).await;
    let failures = format!("{path}.failures.csv.age");
    assert!(code == Some(3) && said.contains(&failures), "{said}");
    let written = fs::read(&failures).unwrap();
    assert!(written.starts_with(b"age-encryption.org/v1"), "nothing is written in plain");
    assert!(age::decrypt(&other, &written).is_err());
    let opened = String::from_utf8(age::decrypt(&identity, &written).unwrap()).unwrap();
    assert!(opened.contains("user_1,stripe,keybased,sk_test_wrong,1,2,rejected"), "{opened}");
    assert!(!Path::new(&format!("{path}.failures.csv")).exists());
    let corrected = opened.replace("sk_test_wrong", "sk_test_ok_user_1");
    fs::write(&failures, age::encrypt(&identity.to_public(), corrected.as_bytes()).unwrap()).unwrap();
    let (code, said) = import(&shop, &["--identity", &keys], &failures).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_pipe_is_not_read_again_for_its_failed_rows() {
    let shop = Shop::open(&[]).await;
    let pipe = shop.world.folder().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let path = pipe.display().to_string();
    let writer = tokio::task::spawn_blocking({
        let content = ndjson(&[row("user_1", "sk_test_wrong")]);
        move || fs::write(pipe, content).unwrap()
    });
    let (code, said) = import(&shop, &[], &path).await;
    writer.await.unwrap();
    assert!(code == Some(3) && said.contains("can be read once only"), "a pipe is not read again: {said}");
}
