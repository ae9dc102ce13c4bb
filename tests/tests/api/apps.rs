//! Each shipped app from end to end: its credential is migrated over TLS, and the provider receives it in the right
//! place, in whatever form its values were written.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry_mock_providers::apps::demo;
use keyferry_tests::apps::shipped_apps;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ACCOUNT, ServerChange, World, WorldOptions, binary};
use serde_json::{Value, json};

const MIGRATED: &str = r#"{"success":true,"message":"Token migrated successfully"}"#;
const RSA_KEY: &str = include_str!("../../../host/crates/devkit/src/cases/test_rsa_key.pem");
const EC_KEY: &str = include_str!("../../../host/crates/devkit/src/cases/test_ec_key.pem");
const SMALL_KEY: &str = include_str!("../../../host/crates/egress/src/testdata/rsa-1024.pem");

/// All shipped apps with their providers, and a limit on rejected credentials that is not reached.
async fn world() -> (World, Vec<(&'static str, Value)>) {
    let (providers, credentials) = shipped_apps().await;
    let change: ServerChange = Box::new(|options| {
        binary::copy(binary::slugs(), &options.plugins);
        options.arguments.extend(["--failed-verifications", "1000"].map(str::to_owned));
    });
    (World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await, credentials)
}

fn bigquery(private_key: &str) -> Value {
    let email = "i@acme-example.iam.gserviceaccount.com";
    json!({ "keybased": { "project_id": "acme-example", "client_email": email, "private_key": private_key } })
}

fn hubspot(access_token: &str, expires_at: &Value) -> Value {
    json!({ "oauth2": { "access_token": access_token, "expires_at": expires_at } })
}

async fn reader(world: &World) -> String {
    let scope = ["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read_credentials"];
    world.command(&scope).await.1.trim().to_owned()
}

/// The stored credential's fields.
async fn stored(world: &World, reader: &str, slug: &str) -> Value {
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/{slug}/credentials");
    let answer = world.send_as_it_is(Request::new("GET", &path).header("x-api-key", reader)).await;
    let mut auth_object = answer.json()["auth_object"].take();
    auth_object.as_object_mut().map_or(Value::Null, |types| types.values_mut().next().unwrap().take())
}

/// The integration in the account's response; null where there is none.
async fn integration(world: &World, slug: &str) -> Value {
    let answer = world.send(Request::new("GET", &format!("/api/v2/public/linked-account/{ACCOUNT}"))).await;
    let mut account = answer.json();
    let all = account["integrations"].as_array_mut().unwrap();
    all.iter_mut().find(|one| one["type"] == slug).map_or(Value::Null, Value::take)
}

fn problem(request: Request) -> Request {
    request.header("accept", "application/problem+json")
}

#[tokio::test]
async fn a_credential_of_each_app_is_migrated_over_tls() {
    let (world, credentials) = world().await;
    let tried: BTreeSet<String> = credentials.iter().map(|(slug, _)| (*slug).to_owned()).collect();
    assert_eq!(tried, binary::slugs().into_iter().collect(), "every shipped app is tried");
    for (slug, auth_object) in credentials {
        assert_eq!(world.migrate(slug, auth_object).await.text(), MIGRATED, "{slug}");
    }
}

/// A value that fits no request is an error of the credential, not of the provider: it is reported as such, and not
/// stored.
#[tokio::test]
async fn a_value_that_no_request_can_be_built_with_is_rejected_by_its_field_and_never_stored() {
    let (world, _) = world().await;
    let label = |label: &str| RSA_KEY.replace("PRIVATE KEY", label);
    let body: String = RSA_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
    let json_file = json!({ "type": "service_account", "private_key": RSA_KEY }).to_string();
    let keys = [
        ("hello", "is not in PEM"),
        (EC_KEY, "is an EC key"),
        (SMALL_KEY, "is too small"),
        (&label("ENCRYPTED PRIVATE KEY"), "passphrase"),
        (&label("RSA PRIVATE KEY").replacen("KEY-----\n", &format!("KEY-----\n{headers}"), 1), "passphrase"),
        (&label("OPENSSH PRIVATE KEY"), "OpenSSH"),
        (&label("PUBLIC KEY"), "is a public key"),
        (&label("CERTIFICATE"), "is a certificate"),
        (&json_file, "is a JSON file"),
        (&body, "without the lines"),
        (&STANDARD.encode(RSA_KEY), "encoded in base64 once more"),
        (&RSA_KEY[..RSA_KEY.len() / 2], "is not whole"),
    ];
    let mut cases: Vec<(&str, Value, &str, &str)> =
        keys.iter().map(|(key, reason)| ("bigquery", bigquery(key), "private_key", *reason)).collect();
    let salesforce =
        json!({ "keybased": { "client_id": "3MVG9e2e", "username": "i@acme.example", "private_key": "hello" } });
    let github = json!({ "app": { "app_id": "123456", "installation_id": "12345678", "private_key": EC_KEY } });
    let cyrillic = "\u{43a}\u{43b}\u{44e}\u{447}";
    let netsuite = |account: &str| {
        let key = "0123456789abcdef";
        json!({ "keybased": { "account_id": account, "consumer_key": key, "consumer_secret": key, "token_id": key, "token_secret": key } })
    };
    let server = |base_url: &str| json!({ "keybased": { "access_token": "ghp_e2e", "base_url": base_url } });
    cases.extend([
        ("salesforce", salesforce, "private_key", "is not in PEM"),
        ("netsuite", netsuite(&"TSTDRV".repeat(11)), "account_id", "not a name that can be looked up"),
        ("netsuite", netsuite(&format!("{}_SB1", "1".repeat(62))), "account_id", "not a name that can be looked up"),
        ("github", server("https://Git.acme.example:0/api/v3/"), "base_url", "a scheme, a host"),
        ("github", server("git.acme.example:0443"), "base_url", "a scheme, a host"),
        (
            "github",
            server(&format!("https://{}.example/", "A".repeat(64))),
            "base_url",
            "not a name that can be looked up",
        ),
        ("github", github, "private_key", "is an EC key"),
        ("hubspot", hubspot(cyrillic, &Value::Null), "access_token", "not ASCII"),
        ("linear", json!({ "keybased": { "api_key": cyrillic } }), "api_key", "not ASCII"),
        ("shopify", json!({ "keybased": { "shop": "acme", "access_token": cyrillic } }), "access_token", "not ASCII"),
        ("datadog", json!({ "keybased": { "api_key": cyrillic, "site": "datadoghq.eu" } }), "api_key", "not ASCII"),
    ]);
    for (slug, auth_object, field, reason) in &cases {
        let body = json!({ "slug": slug, "auth_object": auth_object });
        let answer = world.send(problem(world.migrate_request(&body)).header("prefer", "on-unverified=store")).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["code"]), (422, &json!("credentials_rejected")), "{slug}: {told}");
        assert_eq!(answer.header("keyferry-failure"), Some("rejected"), "{slug}");
        assert_eq!(told["errors"][0]["pointer"], json!(field), "{slug}: {told}");
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("`{field}` cannot be used: ")) && detail.contains(reason), "{detail}");
        let plain = world.send(world.migrate_request(&body)).await;
        assert_eq!((plain.status, &plain.json()["error"]), (500, &json!("SERVER_ERROR")), "{slug}");
        assert_eq!(plain.json()["message"], format!("Failed to verify credentials: {detail}"));
        assert_eq!(integration(&world, slug).await, Value::Null, "{slug} is not stored");
        assert!(!world.server.logs().contains(body.to_string().as_str()));
    }

    // The same through the other endpoints.
    let fields = bigquery("hello")["keybased"].clone();
    let save = "/api/v2/public/linked-account/integration/save-key-credentials/bigquery?linked_account_id=user_1";
    let session = format!("Bearer {}", world.session(ACCOUNT).await);
    for request in
        [Request::new("PUT", save), Request::new("POST", "/api/v2/app/bigquery/save").header("authorization", &session)]
    {
        let target = request.target.clone();
        let request = problem(request.json(&fields));
        let answer = if target == save { world.send(request).await } else { world.send_as_it_is(request).await };
        assert_eq!((answer.status, answer.header("keyferry-failure")), (422, Some("rejected")), "{target}");
    }
    let row = json!({ "linked_account_id": ACCOUNT, "slug": "bigquery", "auth_object": bigquery("hello") });
    let begun = Request::new("POST", "/api/v2/public/imports?on_unverified=store");
    let begun = begun.body("application/x-ndjson", format!("{row}\n"));
    let id = world.send(begun).await.json()["id"].as_str().unwrap().to_owned();
    let rows = settled(&world, &id).await;
    assert_eq!((&rows[0]["outcome"], &rows[0]["fields"]), (&json!("rejected"), &json!(["private_key"])), "{rows:?}");
    assert_eq!(rows[0]["attempts"], 1, "{rows:?}");
}

/// The ledger of an import, once all of its rows are settled.
async fn settled(world: &World, id: &str) -> Vec<Value> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    loop {
        let import = world.send(Request::new("GET", &format!("/api/v2/public/imports/{id}"))).await.json();
        if import["state"] != "running" {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{import:#}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let ledger = world.send(Request::new("GET", &format!("/api/v2/public/imports/{id}/results"))).await;
    ledger.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_private_key_in_any_spelling_is_read_and_stored_as_it_was_made() {
    let (world, _) = world().await;
    let reader = reader(&world).await;
    let lines = |between: &str| RSA_KEY.trim_end().lines().collect::<Vec<_>>().join(between);
    let body: String = RSA_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let wrapped: Vec<&str> = body.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let (first, last) = (RSA_KEY.lines().next().unwrap(), RSA_KEY.trim_end().lines().last().unwrap());
    for spelled in [
        RSA_KEY.to_owned(),
        RSA_KEY.trim_end().to_owned(),
        lines(" "),
        lines("\\n"),
        lines("\\r\\n"),
        lines("\\\\n"),
        lines("\\n\n"),
        lines("\r\n"),
        lines("\r"),
        lines("\n\n    "),
        format!("\u{feff}\"{}\\n\",", lines("\\n")),
        format!("\u{201c}{}\u{201d}", lines(" ")),
        format!("'{}'", lines("\n\t")),
        format!("{first}{body}{last}"),
        format!("{first}\n{}\n{last}", wrapped.join("\n")),
    ] {
        let answer = world.migrate("bigquery", bigquery(&spelled)).await;
        assert_eq!(answer.text(), MIGRATED, "{spelled}");
        let kept = stored(&world, &reader, "bigquery").await["private_key"].as_str().unwrap().to_owned();
        assert_eq!(kept.trim_end(), RSA_KEY.trim_end(), "{spelled}");
        let warning = "`private_key` was taken as PEM in its usual form";
        let warned = integration(&world, "bigquery").await["warnings"].as_array().unwrap().contains(&json!(warning));
        assert_eq!(warned, kept != spelled, "a change has a warning: {spelled}");
        // An export contains the stored form, and an import reads it.
        let again = world.migrate("bigquery", bigquery(&kept)).await;
        assert_eq!(again.header("keyferry-warnings"), None);
        assert_eq!(stored(&world, &reader, "bigquery").await["private_key"], json!(kept));
    }
}

/// The mock provider compares the bytes of the token, so that it accepts only the value that was sent, without
/// additions.
#[tokio::test]
async fn what_is_proven_is_what_is_stored_and_what_was_changed_is_told() {
    let (world, _) = world().await;
    let (token, reader) = (demo::HUBSPOT_ACCESS_TOKEN, reader(&world).await);
    let told = |answer: &Response| answer.header("keyferry-warnings").map(str::to_owned);
    for around in [
        "{}",
        " {}",
        "{}\n",
        "\t{}\r\n",
        "\u{a0}{}",
        "{}\u{200b}",
        "\u{feff}{}",
        "{}\u{2060}",
        "\u{200c}{}\u{200d}",
        "\u{202a}{}\u{202c}",
        "\u{2003}{}\u{3000}",
        "\"{}\"",
        "'{}'",
        "\u{201c}{}\u{201d}",
        "\u{2018}{}\u{2019}",
        "\u{201e}{}\u{201d}",
        "Bearer {}",
        "bearer:{}",
        "BEARER {}",
        "Token {}",
        "Authorization: Bearer {}",
        "\u{201c}Bearer\u{a0}{}\u{201d}\n",
    ] {
        let sent = around.replace("{}", token);
        let answer = world.migrate("hubspot", hubspot(&sent, &Value::Null)).await;
        assert_eq!(answer.text(), MIGRATED, "{sent:?}");
        assert_eq!(stored(&world, &reader, "hubspot").await, json!({ "access_token": token }), "{sent:?}");
        let warnings = integration(&world, "hubspot").await["warnings"].clone();
        let is_told = told(&answer).is_some_and(|told| told.starts_with("\"`access_token` was taken without "));
        assert_eq!((is_told, warnings == json!([])), (sent != token, sent == token), "{sent:?}: {warnings}");
        assert!(!warnings.to_string().contains(token));
    }

    let spelled = hubspot(&format!("Bearer {token} "), &Value::Null);
    let body = json!({ "slug": "hubspot", "auth_object": spelled });
    let verdict = world.send(world.migrate_request(&body).header("prefer", "verify=only")).await;
    assert!(told(&verdict).is_some() && verdict.json()["warnings"][0].is_string(), "{}", verdict.text());
    // A repeated request gets the same response.
    let keyed = || world.send(world.migrate_request(&body).header("idempotency-key", "k1"));
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((told(&again), told(&first).is_some()), (told(&first), true));
    // The error for a failed credential names the changes to its values.
    let failed =
        world.migrate("hubspot", hubspot(&format!("Bearer {}", demo::HUBSPOT_EXPIRED_TOKEN), &Value::Null)).await;
    assert!(failed.text().contains("`access_token` was taken without `Bearer` before it"), "{}", failed.text());
    // Fields that are not secret lose surrounding blanks.
    let stripe = json!({ "api_key": format!("\"{}\"", demo::STRIPE_SECRET_KEY) });
    let save = "/api/v2/public/linked-account/integration/save-key-credentials/stripe?linked_account_id=user_1";
    let saved = world.send(Request::new("PUT", save).json(&stripe)).await;
    assert!(told(&saved).is_some_and(|told| told.contains("without the quotes around it")), "{}", saved.text());
    let row = json!({ "linked_account_id": ACCOUNT, "slug": "hubspot", "auth_object": spelled });
    let begun = Request::new("POST", "/api/v2/public/imports").body("application/x-ndjson", format!("{row}\n"));
    let id = world.send(begun).await.json()["id"].as_str().unwrap().to_owned();
    let rows = settled(&world, &id).await;
    let warning = "`access_token` was taken without the blanks around it, without `Bearer` before it";
    assert_eq!((&rows[0]["outcome"], &rows[0]["warnings"]), (&json!("updated"), &json!([warning])), "{rows:?}");
    assert_eq!(stored(&world, &reader, "hubspot").await, json!({ "access_token": token }));
    let own = format!("/api/v2/public/linked-account/default-app/auth-credentials/token?linked_account_id={ACCOUNT}");
    assert_eq!(world.send(Request::new("PUT", &own).json(&json!({ "value": " Bearer x\n" }))).await.status, 200);
    assert_eq!(stored(&world, &reader, "custom").await, json!({ "token": "Bearer x" }));

    // An address without a scheme is stored with one, and a warning says so.
    let answer = world
        .migrate("github", json!({ "keybased": { "access_token": "ghp_e2e", "base_url": "Git.acme.example/login" } }))
        .await;
    assert_eq!(answer.text(), MIGRATED);
    assert!(told(&answer).is_some_and(|told| told.contains("`base_url` was taken with `https://` before it")));
    assert_eq!(stored(&world, &reader, "github").await["base_url"], "https://Git.acme.example/login");

    for (unfit, named) in [
        ("a\u{200b}b", "U+200B (zero width space)"),
        ("a\u{a0}b", "U+00A0 (no-break space)"),
        ("a\u{7}b", "U+0007"),
        ("a\nb", "U+000A (line break)"),
        ("\u{201c}ab", "U+201C (left double quotation mark)"),
    ] {
        let body = json!({ "slug": "hubspot", "auth_object": hubspot(unfit, &Value::Null) });
        let answer = world.send(problem(world.migrate_request(&body))).await;
        let error = answer.json()["errors"][0].take();
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!("/auth_object/oauth2/access_token"), &json!("forbidden_character"))
        );
        assert!(error["detail"].as_str().unwrap().contains(named), "{error}");
    }
}

#[tokio::test]
async fn the_end_of_a_token_is_read_in_every_form_and_never_lost() {
    let (world, _) = world().await;
    let token = demo::HUBSPOT_ACCESS_TOKEN;
    for (sent, ends) in [
        (json!(1_924_992_000), "2031-01-01T00:00:00.000Z"),
        (json!("1924992000"), "2031-01-01T00:00:00.000Z"),
        (json!(" 1924992000000 "), "2031-01-01T00:00:00.000Z"),
        (json!("1924992000.5"), "2031-01-01T00:00:00.500Z"),
        (json!("2031-01-01T00:00:00Z"), "2031-01-01T00:00:00.000Z"),
        (json!("2031-01-01t02:00:00+02:00"), "2031-01-01T00:00:00.000Z"),
        (json!("2031-01-01 00:00:00z"), "2031-01-01T00:00:00.000Z"),
        (json!("1.92499E+12"), "2030-12-31T23:26:40.000Z"),
        (json!("Wed, 01 Jan 2031 00:00:00 GMT"), "2031-01-01T00:00:00.000Z"),
        (json!("Wednesday, 01-Jan-31 00:00:00 GMT"), "2031-01-01T00:00:00.000Z"),
        (json!("Wed Jan 01 2031 02:00:00 GMT+0200 (Eastern European Standard Time)"), "2031-01-01T00:00:00.000Z"),
        (json!("Wed Jan  1 00:00:00 UTC 2031"), "2031-01-01T00:00:00.000Z"),
        (json!("2031/01/01 00:00:00"), "2031-01-01T00:00:00.000Z"),
    ] {
        let answer = world.migrate("hubspot", hubspot(token, &sent)).await;
        assert_eq!(answer.text(), MIGRATED, "{sent}");
        assert_eq!(integration(&world, "hubspot").await["expires_at"], ends, "{sent}");
    }
    for absent in [json!(""), json!("  "), Value::Null] {
        assert_eq!(world.migrate("hubspot", hubspot(token, &absent)).await.text(), MIGRATED, "{absent}");
        assert_eq!(integration(&world, "hubspot").await["expires_at"], Value::Null, "{absent}");
    }
    for wrong in [json!(-1), json!("-1"), json!("NaN"), json!("soon"), json!(1e300), json!(0), json!("1.9E+12")] {
        let answer = world.migrate("hubspot", hubspot(token, &wrong)).await;
        let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains("auth_object.oauth2.expires_at must be a time"), "{wrong}: {}", answer.text());
    }
    // A credential that could not be verified keeps its expiry.
    let limited = hubspot(demo::HUBSPOT_RATE_LIMITED_TOKEN, &json!("2031-01-01T00:00:00Z"));
    let body = json!({ "slug": "hubspot", "auth_object": limited });
    let kept = world.send(world.migrate_request(&body).header("prefer", "on-unverified=store")).await;
    assert_eq!(kept.header("keyferry-outcome"), Some("unverified"), "{}", kept.text());
    assert_eq!(integration(&world, "hubspot").await["expires_at"], "2031-01-01T00:00:00.000Z");
    let required = world.migrate("hubspot", hubspot("", &Value::Null)).await.json()["error"].to_string();
    assert!(required.contains("access_token is required"), "{required}");
}
