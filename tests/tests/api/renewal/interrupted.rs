//! A server that is killed while a renewal is under way. What was written first says what is not known, and what the app says of
//! its provider decides whether the old token is used once more.

use std::time::{Duration, Instant};

use keyferry_tests::token_endpoint::late;

use super::{App, Renewing, access_token};

const SOON: Duration = Duration::from_secs(60);

/// Kills the server while the provider, which has rotated the token, holds its answer back; and starts it again.
async fn kill_during_a_renewal(renewing: &mut Renewing) {
    renewing.migrate("a", SOON).await;
    renewing.provider.fail_next(late(Duration::from_secs(5)));
    let before = renewing.provider.requests();
    let deadline = Instant::now() + Duration::from_secs(60);
    let asked = async {
        while renewing.provider.requests() == before {
            assert!(Instant::now() < deadline, "the provider was not asked");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = renewing.read(300) => panic!("it was answered: {}", answer.text()),
        () = asked => {}
    }
    renewing.world.server.kill();
    renewing.world.server.restart().await;
}

#[tokio::test]
async fn a_token_that_may_have_been_spent_is_not_spent_again() {
    let mut renewing = Renewing::start(App::Zendesk).await;
    kill_during_a_renewal(&mut renewing).await;
    // What is left of the old token is given, if the provider has not ended it.
    assert_eq!(access_token(&renewing.read(10).await), "at-a-0");
    let (code, problem) = renewing.refused(300).await;
    assert_eq!(code, "reauth_required", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("was interrupted"), "{problem}");
    assert_eq!((renewing.provider.requests(), renewing.provider.second_uses()), (1, 0));
    assert_eq!(renewing.events("credential_renewed").await, ["interrupted"]);
}

#[tokio::test]
async fn a_token_that_stays_valid_is_used_again() {
    let mut renewing = Renewing::start(App::HubSpot).await;
    kill_during_a_renewal(&mut renewing).await;
    assert_eq!(access_token(&renewing.read(300).await), "at-a-2");
    assert_eq!(renewing.provider.requests(), 2);
}

#[tokio::test]
async fn a_token_that_is_valid_until_the_next_one_is_used_is_used_again() {
    let mut renewing = Renewing::start(App::Shopify).await;
    kill_during_a_renewal(&mut renewing).await;
    assert_eq!(access_token(&renewing.read(300).await), "at-a-1", "the provider repeats its lost answer");
    assert_eq!((renewing.provider.requests(), renewing.provider.second_uses()), (2, 0));
}
