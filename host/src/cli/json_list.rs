//! A list in JSON that is written while its items arrive.

use std::io::{self, Write};

use serde::Serialize;

/// How much of a list is written. Items of a list in a member of an object have that member's indentation.
#[derive(Default)]
pub(super) struct JsonList {
    indent: &'static str,
    has_items: bool,
}

impl JsonList {
    /// A list that is a member of an object which is not indented itself.
    pub(super) fn in_member() -> Self {
        Self { indent: "  ", has_items: false }
    }

    /// Writes an item on a line of its own.
    pub(super) fn item(&mut self, out: &mut impl Write, item: &impl Serialize) -> io::Result<()> {
        write!(out, "{}\n{}  ", if self.has_items { "," } else { "[" }, self.indent)?;
        self.has_items = true;
        serde_json::to_writer(&mut *out, item)?;
        Ok(())
    }

    /// Writes the end of the list, and a line feed if it is not a member.
    pub(super) fn end(&self, out: &mut impl Write) -> io::Result<()> {
        match self.has_items {
            true => write!(out, "\n{}]", self.indent)?,
            false => write!(out, "[]")?,
        }
        if self.indent.is_empty() { writeln!(out) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_list_is_one_document_however_many_items_it_has() {
        for items in [vec![], vec![json!({"a": 1})], vec![json!(1), json!("two\n"), json!([])]] {
            let (mut list, mut out) = (JsonList::default(), Vec::new());
            items.iter().try_for_each(|item| list.item(&mut out, item)).unwrap();
            list.end(&mut out).unwrap();
            assert!(out.ends_with(b"]\n"));
            assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), Value::Array(items));
        }
    }
}
