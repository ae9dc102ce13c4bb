#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keyferry::fuzzing::import_file(bytes));
