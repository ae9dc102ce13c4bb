//! Many plugins, made from one component.

use std::error::Error;
use std::path::Path;

use crate::prepare;

/// The slug that is replaced in the component. All slugs have its length, so that no other byte moves.
const SLUG: &[u8] = b"quiet";

/// Writes `count` copies of the quiet plugin into a folder, under the slugs `q0000`, `q0001` and so on.
pub(crate) fn copies(count: usize, folder: &Path) -> Result<(), Box<dyn Error>> {
    let component = prepare::quiet_plugin()?;
    std::fs::create_dir_all(folder)?;
    for number in 0..count {
        let slug = format!("q{number:04}");
        std::fs::write(folder.join(format!("{slug}.wasm")), renamed(&component, slug.as_bytes()))?;
    }
    Ok(())
}

fn renamed(component: &[u8], slug: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(component.len());
    let mut rest = component;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(SLUG) {
            out.extend_from_slice(slug);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_slug_is_renamed_and_nothing_moves() {
        assert_eq!(renamed(b"a quiet, quiet qui", b"q0042"), b"a q0042, q0042 qui");
    }
}
