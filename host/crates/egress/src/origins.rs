//! [`Origins`]: the origins that an app asked for last. They are few, and parsing one costs more than the rest of a request's checks.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::error::Invalid;
use super::origin::Origin;
use super::settings::Loopback;

/// Maximum number of origins that are kept.
const MOST: usize = 256;

/// Parsed origins by their text.
#[derive(Default)]
pub(super) struct Origins(Mutex<HashMap<String, Arc<Origin>>>);

impl Origins {
    /// The origin that a text names, as [`Origin::parse`] reads it.
    pub(super) fn parse(&self, text: &str, loopback: Loopback) -> Result<Arc<Origin>, Invalid> {
        if let Some(known) = self.0.lock().get(text) {
            return Ok(Arc::clone(known));
        }
        let origin = Arc::new(Origin::parse(text, loopback)?);
        let mut known = self.0.lock();
        if known.len() >= MOST {
            // Callers choose the hosts of some apps. All are parsed again, which is no worse than without this.
            known.clear();
        }
        known.insert(text.to_owned(), Arc::clone(&origin));
        Ok(origin)
    }
}
