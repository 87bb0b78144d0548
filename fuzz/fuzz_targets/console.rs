#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| ami_bake_fuzz::check("console", input));
