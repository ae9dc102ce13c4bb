//! `GET /docs`: the API's description as a page, in a browser that can reach nothing but the server.

use std::path::Path;
use std::process::Command;

use keyferry_tests::http::{Request, Response};
use keyferry_tests::{World, binary, tools};
use serde_json::{Value, json};

const PAGE: &str = "/docs";
const FILES: [(&str, &str); 5] = [
    (PAGE, "text/html; charset=utf-8"),
    ("/docs/page.css", "text/css; charset=utf-8"),
    ("/docs/page.js", "text/javascript; charset=utf-8"),
    ("/docs/icon.svg", "image/svg+xml"),
    ("/docs/openapi-explorer.min.js", "text/javascript; charset=utf-8"),
];

async fn ask(world: &World, method: &str, path: &str) -> Response {
    Request::new(method, path).send(world.server.address()).await
}

/// A visit of a user who opens the page, types the API key, lists the accounts, and comes back later.
async fn visit(world: &World, screenshot: &Path) -> Option<Value> {
    let (chromium, driver) = tools::browser()?;
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("node");
    command
        .arg(tools::browser_folder().join("visit.mjs"))
        .env("KEYFERRY_BROWSER", driver)
        .env("KEYFERRY_CHROMIUM", chromium)
        .env("KEYFERRY_PROFILE", profile.path())
        .env("KEYFERRY_URL", world.server.url())
        .env("KEYFERRY_API_KEY", &world.api_key)
        .env("KEYFERRY_SCREENSHOT", screenshot);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("start Node.js");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_page_shows_the_api_in_a_browser_and_a_key_that_is_typed_in_goes_to_its_own_server_alone() {
    let world = World::start().await;
    let screenshot = binary::target().join("docs-page.png");
    let Some(seen) = visit(&world, &screenshot).await else { return };
    println!("the page as it was seen: {}", screenshot.display());
    let holds = |part: &str, expected: &[&str]| {
        let text = seen[part].as_str().unwrap();
        for expected in expected {
            assert!(text.contains(expected), "{part} has no {expected}: {text}");
        }
    };
    assert_eq!(seen["title"], "Keyferry API");
    let operation = "Put a credential onto a linked account";
    holds("menu", &[operation, "List linked accounts", "Webhooks", "HubSpot", "Stripe"]);
    holds("overview", &["Keyferry", "In three steps", "Two forms of errors"]);
    holds("operation", &[operation, "/api/v2/public/migrate-token", "linked_account_id", "HubSpot", "NetSuite", "422"]);
    holds("schema", &["oauth2", "keybased", "access_token", "refresh_token", "Private app token"]);
    assert_eq!(seen["complaints"], json!([]), "the console is silent, and the policy is kept");
    // The root path redirects to the page.
    assert_eq!(seen["arrived"], json!(format!("{}/docs", world.server.url())));
    let choices = seen["choices"].as_object().unwrap();
    assert_eq!(choices["on_existing"], json!(["-", "update", "skip", "newer"]));
    assert_eq!(choices["from"].as_array().unwrap().len(), 8, "{choices:?}");
    holds("parameters", &["Allowed:", "newer", "customers.csv", "5%"]);
    holds("file", &["linked_account_id,slug,auth_type,access_token", "user_1,hubspot,oauth2"]);
    // A text made up from a pattern has no words, and a displayed one has escapes.
    for part in ["operation", "schema", "parameters"] {
        let text = seen[part].as_str().unwrap();
        assert!(!text.contains("\\u00") && !text.contains("[!-~]"), "{part}: {text}");
    }
    assert_eq!(seen["placeholders"]["linked_account_id"], "user_1");

    assert_eq!(seen["tried"], 200);
    let requests = seen["requests"].as_array().unwrap();
    assert!(requests.len() > FILES.len(), "{requests:?}");
    let origin = format!("{}/", world.server.url());
    for request in requests {
        assert!(request["url"].as_str().unwrap().starts_with(&origin), "{request}");
    }
    let with_key: Vec<_> = requests.iter().filter(|request| !request["key"].is_null()).collect();
    assert_eq!((with_key.len(), &with_key[0]["key"]), (1, &json!(world.api_key)), "{with_key:?}");
    // The content security policy blocks the requests of a manipulated page.
    assert_eq!(seen["sent"], json!([]));
    let refused = seen["refused"].to_string();
    for directive in ["connect-src https://elsewhere.example", "img-src https://elsewhere.example", "script-src"] {
        assert!(refused.contains(directive), "{directive}: {refused}");
    }
    // A later visitor, or the next user of the browser, finds no key.
    assert_eq!((&seen["later"], &seen["laterKeys"]), (&json!(401), &json!([])));
    assert!(!seen["stored"].as_str().unwrap().contains(&world.api_key), "{}", seen["stored"]);
    let screenshot = std::fs::read(screenshot).unwrap();
    assert!(screenshot.starts_with(b"\x89PNG") && screenshot.len() > 20_000, "{} bytes", screenshot.len());
}

#[tokio::test]
async fn each_file_of_the_page_may_load_and_tell_nothing_elsewhere_and_is_sent_once() {
    let world = World::start().await;
    for (path, content_type) in FILES {
        let whole = ask(&world, "GET", path).await;
        assert_eq!((whole.status, whole.header("content-type")), (200, Some(content_type)), "{path}");
        let policy = whole.header("content-security-policy").unwrap();
        let directives: Vec<&str> = policy.split("; ").collect();
        for expected in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(directives.contains(&expected), "{path} has no {expected}: {policy}");
        }
        assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("eval"), "{policy}");
        assert_eq!(whole.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(whole.header("referrer-policy"), Some("no-referrer"), "{path}");
        let tag = whole.header("etag").unwrap();
        for method in ["GET", "HEAD"] {
            let again = Request::new(method, path).header("if-none-match", tag).send(world.server.address()).await;
            assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)), "{method} {path}");
        }
        let head = ask(&world, "HEAD", path).await;
        assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, Some(tag)), "{path}");
        let posted = ask(&world, "POST", path).await;
        assert_eq!((posted.status, posted.header("allow")), (405, Some("GET,HEAD")), "{path}");
        // The page itself loads nothing from other hosts, and has no inline script.
        if content_type.starts_with("text/html") {
            let text = whole.text();
            assert!(!text.contains("//") && !text.contains("<script>"), "{text}");
        }
    }
    assert_eq!(ask(&world, "GET", "/docs/openapi-explorer.js").await.status, 404);
}

#[tokio::test]
async fn the_root_sends_browsers_to_the_page_and_gives_programs_the_links() {
    let world = World::start().await;
    let of_browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (accept, is_page) in [(of_browsers, true), ("text/html", true), ("application/json", false), ("*/*", false)] {
        for method in ["GET", "HEAD"] {
            let answer = world.send_as_it_is(Request::new(method, "/").header("accept", accept)).await;
            assert_eq!(answer.status, if is_page { 307 } else { 200 }, "{method} {accept}");
            assert_eq!((answer.header("vary"), answer.header("location")), (Some("accept"), is_page.then_some("docs")));
            if method == "GET" && !is_page {
                for link in ["docs", "openapi", "readyz"] {
                    let target = answer.json()[link].as_str().unwrap().to_owned();
                    assert_eq!(ask(&world, "GET", &target).await.status, 200, "{target}");
                }
            }
        }
    }
    let asked = ask(&world, "OPTIONS", "/").await;
    assert_eq!((asked.status, asked.header("allow")), (204, Some("GET,HEAD")));
    assert_eq!(ask(&world, "POST", "/").await.status, 405);
}

/// The copy in the binary is the file that npm has under the hash in the lock file.
#[test]
fn the_renderer_is_npms_to_the_byte() {
    let Some(installed) = tools::docs_page() else { return };
    let package = installed.join("node_modules/openapi-explorer");
    for (ours, theirs) in [("openapi-explorer.min.js", "dist/browser/openapi-explorer.min.js"), ("LICENSE", "LICENSE")]
    {
        let (ours, theirs) = (tools::docs_page_folder().join(ours), package.join(theirs));
        let is_same = std::fs::read(&ours).unwrap() == std::fs::read(&theirs).unwrap();
        assert!(is_same, "{} is not {}: run update beside it", ours.display(), theirs.display());
    }
}
