#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| towline::fuzzing::known_hosts(data));
