//! Lists of accounts.

use super::harness::*;
use crate::*;
use keyferry_types::ids::Environment;

fn list(page: usize, limit: usize, search: Option<&str>) -> ListAccounts {
    ListAccounts { page, limit, search: search.map(str::to_owned) }
}

async fn ids(store: &Scratch, list: ListAccounts) -> (Vec<String>, usize) {
    let page = store.accounts(&org(), Environment::Test, list).await.unwrap();
    (page.views.iter().map(|view| view.account.account_id.to_string()).collect(), page.total)
}

#[tokio::test]
async fn accounts_are_listed_newest_first_in_pages_that_do_not_overlap() {
    let store = Scratch::new().await;
    for number in 0..7 {
        let mut write = put(PutMode::Create, &format!("user_{number}"));
        // Two of a kind: their order is arbitrary, and has to stay the same.
        write.audit.at = at(1_000 + number / 2);
        store.put_account(write).await.unwrap();
    }
    let (all, total) = ids(&store, list(1, 100, None)).await;
    assert_eq!((all.len(), total), (7, 7));
    assert_eq!(all.first().map(String::as_str), Some("user_6"));
    let mut paged = Vec::new();
    for (page, expected) in [(1, 3), (2, 3), (3, 1), (4, 0)] {
        let (ids, total) = ids(&store, list(page, 3, None)).await;
        assert_eq!((ids.len(), total), (expected, 7), "page {page}");
        paged.extend(ids);
    }
    assert_eq!(paged, all);
    assert_eq!(ids(&store, list(1, 0, None)).await, (Vec::new(), 7));
    assert_eq!(ids(&store, list(usize::MAX, usize::MAX, None)).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn a_search_looks_at_ids_and_names_in_any_case() {
    let store = Scratch::new().await;
    for (id, name) in [("alpha", None), ("beta", Some("ALPHA Corp")), ("gamma", Some("\u{c4}rger")), ("delta", None)] {
        let mut write = put(PutMode::Create, id);
        write.name = name.map(str::to_owned);
        store.put_account(write).await.unwrap();
    }
    store.commit_migration(migration("beta", "hubspot", 1)).await.unwrap();
    let found = |search: &'static str| {
        let store = &store;
        async move {
            let (mut ids, total) = ids(store, list(1, 10, Some(search))).await;
            ids.sort();
            (ids.join(","), total)
        }
    };
    assert_eq!(found("alPha").await, ("alpha,beta".to_owned(), 2));
    assert_eq!(found("\u{e4}RG").await, ("gamma".to_owned(), 1));
    assert_eq!(found("nothing").await, (String::new(), 0));
    assert_eq!(found("").await.1, 4);
    assert_eq!(ids(&store, list(2, 1, Some("alpha"))).await.1, 2);
    let page = store.accounts(&org(), Environment::Test, list(1, 10, Some("corp"))).await.unwrap();
    assert_eq!(page.views[0].integrations.len(), 1);
}

#[tokio::test]
async fn other_organisations_and_environments_are_not_listed() {
    let store = Scratch::new().await;
    with_account(&store, "mine").await;
    for (org, environment) in
        [("acme", Environment::Production), ("acm", Environment::Test), ("acmee", Environment::Test)]
    {
        let mut write = put(PutMode::Create, "theirs");
        write.key.org = org.parse().unwrap();
        write.key.environment = environment;
        store.put_account(write).await.unwrap();
    }
    assert_eq!(ids(&store, list(1, 10, None)).await, (vec!["mine".to_owned()], 1));
}
