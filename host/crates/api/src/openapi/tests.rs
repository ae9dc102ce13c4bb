//! Properties of the whole document.

use serde_json::Value;

use super::operations::{id, operations};
use super::values;
use crate::handlers::imports::change;
use crate::routes::description_of;

#[test]
fn what_the_document_points_at_is_in_it() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = description_of(&[]);
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn every_operation_is_told_in_words_and_none_is_named_twice() {
    let mut document = description_of(&[]);
    let mut ids = Vec::new();
    for operation in operations(&mut document) {
        for member in ["summary", "description", "tags", "security"] {
            assert!(operation.contains_key(member), "{} has no {member}", id(operation));
        }
        ids.push(id(operation).to_owned());
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), count), (52, 52), "{ids:?}");
}

#[test]
fn the_changes_of_an_import_that_are_described_are_those_that_are_taken() {
    assert_eq!(values::CHANGES, change::CHANGES.map(|(name, _)| name));
}
