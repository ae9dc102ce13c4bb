//! Lists of accounts.

use super::engines::{Kind, Scratch};
use super::records::*;
use crate::*;
use keyferry_types::ids::Environment;

fn list(page: usize, limit: usize, search: Option<&str>) -> ListAccounts {
    ListAccounts { page, limit, search: search.map(str::to_owned), after: None }
}

async fn ids(store: &Scratch, list: ListAccounts) -> (Vec<String>, usize) {
    let page = store.accounts(&org(), Environment::Test, list).await.unwrap();
    (page.views.iter().map(|view| view.account.account_id.to_string()).collect(), page.total)
}

#[tokio::test]
async fn accounts_are_listed_newest_first_in_pages_that_do_not_overlap() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        for number in 0..7 {
            let mut write = put(PutMode::Create, &format!("user_{number}"));
            // Two of the same millisecond: their order is arbitrary, but stable.
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
}

#[tokio::test]
async fn a_list_continues_after_a_place_whatever_was_made_or_deleted_before_it() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        let add = |number: u64| {
            let mut write = put(PutMode::Create, &format!("user_{number}"));
            write.audit.at = at(1_000 + number / 2);
            write
        };
        for number in 0..7 {
            store.put_account(add(number)).await.unwrap();
        }
        let (all, _) = ids(&store, list(1, 100, None)).await;
        let (mut walked, mut after) = (Vec::new(), None);
        for round in 0.. {
            let page =
                store.accounts(&org(), Environment::Test, ListAccounts { after, ..list(1, 2, None) }).await.unwrap();
            assert_eq!(page.total, all.len() - walked.len(), "those that follow");
            let Some(last) = page.views.last().map(|view| view.account.clone()) else { break };
            after = Some(last.place());
            walked.extend(page.views.iter().map(|view| view.account.account_id.to_string()));
            // The position stays the same.
            store.put_account(add(100 + round)).await.unwrap();
            store
                .delete_account(&account_key(last.account_id.as_str()), event(AuditAction::AccountDeleted))
                .await
                .unwrap();
        }
        assert_eq!(walked, all);
        let oldest = ListAccounts { after: "1002-ffffffffffffffffffffffff".parse().ok(), ..list(1, 9, Some("USER_1")) };
        store.put_account(add(1)).await.unwrap();
        assert_eq!(ids(&store, oldest).await.0, ["user_1"], "100 and more are newer");
        assert_eq!("5-0123456789abcdef01234567".parse::<AccountPlace>().unwrap().created_at, at(5));
        let id = "0123456789abcdef01234567";
        let wrong = ["-", "+5-", "x-", "99999999999999999999-"].map(|before| format!("{before}{id}"));
        for text in wrong.iter().map(String::as_str).chain(["", "5", "5-", "5-x"]) {
            assert_eq!(text.parse::<AccountPlace>(), Err(MalformedAccountPlace), "{text}");
        }
    }
}

#[tokio::test]
async fn a_search_looks_at_ids_and_names_in_any_case() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        for (id, name) in
            [("alpha", None), ("beta", Some("ALPHA Corp")), ("gamma", Some("\u{c4}rger")), ("delta", None)]
        {
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
}

#[tokio::test]
async fn other_organisations_and_environments_are_not_listed() {
    for kind in Kind::all() {
        let store = Scratch::new(kind).await;
        with_account(&*store, "mine").await;
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
}
