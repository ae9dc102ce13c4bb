//! Group 19: proxies in the environment are not used.

use keyferry_mock_providers::{MockProviders, Reply};
use keyferry_tests::dns::DnsServer;
use tokio::net::TcpListener;

use super::probe::Probe;

#[tokio::test]
async fn no_variable_makes_requests_go_elsewhere() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = trap.local_addr().unwrap();
    let dns = DnsServer::start(|question| question.addresses(&["127.0.0.1"])).await;
    let mut providers = MockProviders::start().await.unwrap();
    let port = providers.add("api.example.com", |_| Reply::text(200, "straight")).await.unwrap().port();
    let probe = Probe::start(providers, &dns, move |options| {
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].into_iter().flat_map(|name| {
            [(name.to_owned(), format!("http://{proxy}")), (name.to_lowercase(), format!("socks5h://{proxy}"))]
        });
        options.environment.extend(proxies);
        // Variables that would bypass a proxy have no effect either.
        options
            .environment
            .extend(["NO_PROXY", "no_proxy", "REQUEST_METHOD"].map(|name| (name.to_owned(), String::new())));
    })
    .await;
    let url = format!("https://api.example.com:{port}");
    let detail = probe.ask(&url, &url).await;
    assert!(detail.contains("straight"), "{detail}");
    // A name that does not resolve is not sent to a proxy either.
    let elsewhere = probe.ask("https://no-such.example.com:1", "https://no-such.example.com:1").await;
    assert!(elsewhere.contains("ECONNREFUSED"), "{elsewhere}");
    let accepted = tokio::time::timeout(std::time::Duration::from_millis(100), trap.accept()).await;
    assert!(accepted.is_err(), "a client connected to the proxy");
}
