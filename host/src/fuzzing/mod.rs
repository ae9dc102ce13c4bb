//! What `fuzz/` at the root of the repository runs: one function for each kind of input that comes from outside. Each states
//! a property, and panics where it does not hold. Not part of the API.
//!
//! The inputs that are kept in `fuzz/seeds` go through the same functions in each `cargo test`.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a property that does not hold has to be seen")]

mod backup_file;
mod case_file;
mod description;
mod egress;
mod envelope;
mod import_file;
mod lock_file;
mod request_body;

pub use backup_file::backup_file;
pub use case_file::case_file;
pub use description::description;
pub use egress::egress;
pub use envelope::envelope;
pub use import_file::import_file;
pub use lock_file::lock_file;
pub use request_body::request_body;

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_properties_hold_for_every_seed_that_is_kept() {
        type Property = fn(&[u8]);
        let targets: [(&str, Property); 8] = [
            ("backup_file", super::backup_file),
            ("case_file", super::case_file),
            ("description", super::description),
            ("egress", super::egress),
            ("envelope", super::envelope),
            ("import_file", super::import_file),
            ("lock_file", super::lock_file),
            ("request_body", super::request_body),
        ];
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let mut declared: Vec<_> = std::fs::read_dir(fuzz.join("fuzz_targets"))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        declared.sort();
        assert_eq!(declared, targets.map(|(name, _)| name), "each target is replayed here");
        for (name, property) in targets {
            let seeds: Vec<_> = std::fs::read_dir(fuzz.join("seeds").join(name)).unwrap().collect();
            assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
            for seed in seeds {
                let path = seed.unwrap().path();
                println!("{}", path.display());
                let bytes = std::fs::read(&path).unwrap();
                property(&bytes);
                // A seed is a place to begin: what is left of it when it is cut short has to hold as well.
                for length in (0..bytes.len()).step_by(bytes.len() / 64 + 1) {
                    property(&bytes[..length]);
                }
            }
        }
    }
}
