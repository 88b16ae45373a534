#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| towline::fuzzing::os_release(data));
