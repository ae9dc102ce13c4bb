//! When the document is made anew.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use serde_json::Value;

use keyferry_sandbox::{App, Digest};

/// The document, kept until other apps serve.
#[derive(Default)]
pub(crate) struct Description(ArcSwapOption<Kept>);

struct Kept {
    /// Which components it is made of, by slug. A folder that changed, a grant that ended: either makes another list.
    apps: Vec<Digest>,
    json: Bytes,
}

impl Description {
    /// The document for these apps, which are in the order of their slugs. It is made by `make` if other apps served before.
    pub(crate) fn json_for(&self, apps: &[Arc<App>], make: impl FnOnce() -> Value) -> Bytes {
        let digests: Vec<_> = apps.iter().map(|app| app.digest).collect();
        if let Some(kept) = self.0.load_full().filter(|kept| kept.apps == digests) {
            return kept.json.clone();
        }
        let json = Bytes::from(make().to_string());
        self.0.store(Some(Arc::new(Kept { apps: digests, json: json.clone() })));
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_made_once_for_the_same_apps() {
        let description = Description::default();
        let first = description.json_for(&[], || Value::Null);
        let second = description.json_for(&[], || unreachable!("no other apps serve"));
        assert_eq!(first.as_ptr(), second.as_ptr());
    }
}
