//! The requests with canaries, in order, and the places that are searched.

use keyferry_tests::metrics::Page;

use super::hunt::Hunt;
use super::operators::{commands_say, operator_sees, too_many};
use super::readers::{read_back, sessions};
use super::verifications::{echoed, unanswered, verified_and_stored};
use super::wrong_requests::{
    bodies_that_are_broken, content_that_is_wrong, keys_that_are_wrong, repeated_and_conflicting,
    secrets_in_other_places,
};

#[tokio::test]
async fn no_secret_is_in_any_answer_log_or_file_with_a_log_for_people() {
    hunt("text").await;
}

#[tokio::test]
async fn no_secret_is_in_any_answer_log_or_file_with_a_log_for_programs() {
    hunt("json").await;
}

async fn hunt(log_format: &'static str) {
    let mut hunt = Hunt::start(log_format).await;
    verified_and_stored(&mut hunt).await;
    echoed(&mut hunt).await;
    unanswered(&mut hunt).await;
    content_that_is_wrong(&mut hunt).await;
    secrets_in_other_places(&mut hunt).await;
    bodies_that_are_broken(&mut hunt).await;
    repeated_and_conflicting(&mut hunt).await;
    keys_that_are_wrong(&mut hunt).await;
    read_back(&mut hunt).await;
    sessions(&mut hunt).await;

    hunt.seen.process(hunt.world.server.pid());
    let page = Page::of(&hunt.world.server).await;
    assert!(page.sum("keyferry_verification_duration_seconds_count", &[("app", "leaky")]) > 100.0, "{}", page.text);
    hunt.seen.add("the metrics", page.text);
    operator_sees(&mut hunt).await;
    too_many(&mut hunt).await;
    assert!(hunt.world.server.terminate().await.success());
    let logs = hunt.world.server.logs();
    for expected in ["keyferry::access", "keyferry::plugin", "you sent [***]", "hyper_util"] {
        assert!(logs.contains(expected), "the log has no {expected}");
    }
    hunt.seen.add("what the server printed", logs);
    let spans = hunt.collector.spans();
    assert!(spans.iter().filter(|span| span.name == "verify").count() > 100, "{} spans", spans.len());
    hunt.seen.add("what the collector got", hunt.collector.raw());
    commands_say(&mut hunt).await;
    let data = hunt.world.data();
    hunt.seen.folder(&data, "keyferry.key");
    assert!(hunt.seen.parts() > 500 && hunt.seen.bytes() > 1 << 20, "{} {}", hunt.seen.parts(), hunt.seen.bytes());
    hunt.check();
}
