//! Registering, listing, changing and deleting.

use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, ORG};
use serde_json::{Value, json};

use crate::webhooks::bench::{WEBHOOKS, connect, register, world_with};

#[tokio::test]
async fn webhooks_are_listed_changed_and_deleted_as_documented_and_values_of_headers_are_not_shown() {
    let (world, [mut receiver]) = world_with(["hooks.example.com"]).await;
    let url = receiver.url("x");
    let body = json!({
        "webhook_url": url, "webhook_events": ["Connection Created"], "webhook_description": "crm", "slug": "stripe",
        "webhook_headers": {"authorization": "Bearer receivers-password", "x-more": "1"}, "method": "PUT",
        "signing_secret": "pk_documented_products_own_key", "workflow_ids": [], "webhook_type": "default",
    });
    let made = register(&world, body).await;
    assert!(made.get("signing_secret").is_none(), "a given secret is not returned");
    let second = register(&world, json!({"webhook_url": url, "webhook_events": ["Connection Expired"]})).await;
    let listed = world.send(Request::new("GET", WEBHOOKS)).await.json();
    assert_eq!(listed[0], made, "a bare array, oldest first");
    assert_eq!((listed.as_array().unwrap().len(), &listed[1]["_id"]), (2, &second["_id"]));
    assert!(listed[1].get("signing_secret").is_none());
    assert_eq!(made["webhook_headers"], json!({"authorization": "***", "x-more": "***"}));
    assert_eq!((&made["method"], &made["is_enabled"], &made["slug"]), (&json!("PUT"), &json!(true), &json!("stripe")));

    // A response can be sent back as a request: a masked header keeps its value, an omitted one is removed.
    let path = format!("{WEBHOOKS}/{}", made["_id"].as_str().unwrap());
    let mut back = made.clone();
    back["webhook_headers"] = json!({"authorization": "***"});
    back["webhook_description"] = Value::Null;
    let changed = world.send(Request::new("PUT", &path).json(&back)).await.json();
    assert_eq!(changed["webhook_headers"], json!({"authorization": "***"}));
    assert_eq!((&changed["webhook_description"], &changed["webhook_url"]), (&Value::Null, &made["webhook_url"]));
    connect(&world, ACCOUNT).await;
    let call = receiver.call().await;
    assert_eq!((call.received().method.as_str(), call.header("authorization")), ("PUT", "Bearer receivers-password"));
    assert!(call.received().header("x-more").is_none());
    assert!(call.is_signed_with("pk_documented_products_own_key"), "as the documented product's clients check it");

    let remaining = world.send(Request::new("DELETE", &path)).await.json();
    assert_eq!(remaining, json!([listed[1]]));
    for request in
        [Request::new("GET", &path), Request::new("DELETE", &path), Request::new("PUT", &path).json(&json!({}))]
    {
        let answer = world.send(request).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            (&answer.json()["error"], &answer.json()["message"]),
            (&json!("RESOURCE_NOT_FOUND"), &json!("Webhook not found"))
        );
    }
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    for (operation, times) in [("webhook_created", 2), ("webhook_updated", 1), ("webhook_deleted", 1)] {
        assert_eq!(trail.matches(&format!("\"operation\":\"{operation}\"")).count(), times, "{operation}");
    }
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_in_the_documented_words_and_nothing_of_it_is_repeated() {
    let (world, []) = world_with([]).await;
    let url = "https://hooks.example.com/x";
    let all = json!(["Connection Created"]);
    let cases = [
        (
            json!({"webhook_url": url, "webhook_events": ["Connection Created", "s3cr3t"]}),
            "INVALID_EVENT",
            "Invalid event. Check events list in documentation.",
        ),
        (json!({"webhook_url": url, "webhook_events": ["Workflow Completed"]}), "INVALID_EVENT", "Invalid event."),
        (json!({"webhook_url": url, "webhook_events": []}), "VALIDATION_ERROR", "at least one event"),
        (json!({"webhook_url": url}), "VALIDATION_ERROR", "webhook_events is required"),
        (json!({"webhook_events": all}), "VALIDATION_ERROR", "webhook_url is required"),
        (
            json!({"webhook_url": "http://hooks.example.com/s3cr3t", "webhook_events": all}),
            "VALIDATION_ERROR",
            "must be https",
        ),
        (json!({"webhook_url": "https://10.0.0.1/s3cr3t", "webhook_events": all}), "VALIDATION_ERROR", "never dialled"),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_headers": {"s3cr3t\n": "x"}}),
            "VALIDATION_ERROR",
            "not a header's",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_headers": {"host": "s3cr3t"}}),
            "VALIDATION_ERROR",
            "host is not for a caller",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_headers": {"x": "***"}}),
            "VALIDATION_ERROR",
            "a new webhook has none",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "signing_secret": "s3cr3t"}),
            "VALIDATION_ERROR",
            "16 to 256",
        ),
        (json!({"webhook_url": url, "webhook_events": all, "method": "GET"}), "VALIDATION_ERROR", "POST, PUT or PATCH"),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_body": {"a": "s3cr3t"}}),
            "VALIDATION_ERROR",
            "webhook_body:",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "webhook_type": "slack"}),
            "VALIDATION_ERROR",
            "webhook_type:",
        ),
        (
            json!({"webhook_url": url, "webhook_events": all, "workflow_ids": ["s3cr3t"]}),
            "VALIDATION_ERROR",
            "workflow_ids:",
        ),
        (json!({"webhook_url": url, "webhook_events": all, "group": "s3cr3t"}), "VALIDATION_ERROR", "group:"),
    ];
    for (body, error, message) in cases {
        let answer = world.send(Request::new("POST", WEBHOOKS).json(&body)).await;
        let told = answer.json();
        assert_eq!((answer.status, told["error"].as_str()), (400, Some(error)), "{body}: {told}");
        assert!(told["message"].as_str().unwrap().contains(message), "{body}: {told}");
        assert!(!answer.text().contains("s3cr3t"), "{told}");
    }
    for _ in 0..32 {
        register(&world, json!({"webhook_url": url, "webhook_events": all})).await;
    }
    let body = json!({"webhook_url": url, "webhook_events": all});
    let answer = world.send(Request::new("POST", WEBHOOKS).json(&body)).await;
    assert!(answer.status == 400 && answer.text().contains("there are 32 webhooks"), "{}", answer.text());
}
