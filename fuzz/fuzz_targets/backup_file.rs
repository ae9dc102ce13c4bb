#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keyferry::fuzzing::backup_file(bytes));
